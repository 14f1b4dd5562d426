"""The loop that threads of the CPU team run: one program, ops in order, parts claimed one by one.

A program is an array of ops, `OP_WORDS` words each: kernel address, parameter block address, number
of parts, and the index of the last earlier op that must have finished first. Each op has a line of
counters: a bit for each part that is claimed, and the number of parts done. A thread claims the
parts that are its own share first, the same ones each time, so that its weights stay in its own
caches; then it takes over what others have not begun. When nothing is left it goes on to the next
op, waiting only where that op needs results of an earlier one. So a thread that the system holds up
delays nobody, and independent ops overlap.

Where a recorder is given (recorder.py), each thread writes down when it began and ended each part.
Without one that is a branch a part, always taken the same way.

Everything here is compiled by Numba; addresses and counters are int64 words.
"""

from numba import int64
from numba.extending import register_jitable

from rung.backends.cpu.clock import read_clock
from rung.simd.memory import (
    array_at,
    call_kernel,
    call_plain,
    pause,
    word_add,
    word_load,
    word_or,
    word_store,
    word_swap,
)

WORD = 8
OP_WORDS = 4  # kernel, block, parts, after
LINE_WORDS = 8  # a cache line of counters for each op: six words of claims, parts done
DONE = 6
CLAIMS = 32  # parts that a word of claims holds
MOST_PARTS = DONE * CLAIMS

# Words of the team's control block, each on a cache line of its own.
JOB = 0  # odd while a job is open, even between jobs
ACTIVE = 8  # workers inside the open job
PROGRAM = 16  # then: ops, counters, count, all written before JOB turns odd
YIELD = 20  # address of the C function that gives up the processor
THREADS = 21  # that work on the job; more may be there
RECORD = 22  # address of the recorder's memory; 0 records nothing
CLOCK = 23  # address of the C function that tells the time
QUIT = 24
ASLEEP = 32  # then one line a worker: 1 while it sleeps or is about to

# A recorder's memory: a line that says how much, then as much for each thread.
CAPACITY = 0  # records that a thread has room for
STRIDE = 1  # bytes from a thread's memory to the next
# A thread's memory: a line about its run, then its records in order.
TAKEN = 0  # parts computed; beyond the capacity they are counted only
ENTERED = 1  # when it began with the program
LEFT = 2  # when it had nothing left to do there
RECORD_WORDS = 3  # op · PARTS_BASE + part, start, end
PARTS_BASE = 256

# A pause is 40 to 140 cycles. Waiting for another thread's part: this many pauses, then yield.
_SPIN_PART = 2000
# Waiting for a job: about 50 µs of pauses, then yields for a millisecond or so, then sleep.
_SPIN_JOB = 1000
_YIELD_JOB = 1000


@register_jitable
def run_ops(control, thread):
    """Takes parts of the open job's ops until all are done; `thread` is 0 for the caller's."""
    ops = word_load(control + PROGRAM * WORD)
    counters = word_load(control + (PROGRAM + 1) * WORD)
    count = word_load(control + (PROGRAM + 2) * WORD)
    give_way = word_load(control + YIELD * WORD)
    threads = word_load(control + THREADS * WORD)
    record = word_load(control + RECORD * WORD)
    taken = int64(0)
    if record != 0:
        _enter(control, record, thread)
    finished = int64(0)  # ops before this one are known to be done
    for index in range(count):
        op = ops + index * OP_WORDS * WORD
        line = counters + index * LINE_WORDS * WORD
        parts = word_load(op + 2 * WORD)
        if word_load(line + DONE * WORD) >= parts:
            continue
        finished = _wait_until(ops, counters, finished, word_load(op + 3 * WORD) + 1, give_way)
        kernel, block = word_load(op), word_load(op + WORD)
        part = parts * thread // threads
        for _ in range(parts):
            if _claim(line, part):
                if record == 0:
                    call_kernel(kernel, block, part, parts)
                else:
                    start = _now(control)
                    call_kernel(kernel, block, part, parts)
                    _record(record, thread, taken, index * PARTS_BASE + part, start, _now(control))
                    taken += 1
                word_add(line + DONE * WORD, 1)
            part += 1
            if part == parts:
                part = 0
    _wait_until(ops, counters, finished, count, give_way)
    if record != 0:
        _leave(control, record, thread, taken)


@register_jitable
def _now(control):
    """The time in ticks of the clock."""
    return read_clock(word_load(control + CLOCK * WORD))


@register_jitable
def _own(record, thread):
    """Address of a thread's memory in a recorder's."""
    return record + LINE_WORDS * WORD + thread * word_load(record + STRIDE * WORD)


@register_jitable
def _enter(control, record, thread):
    word_store(_own(record, thread) + ENTERED * WORD, _now(control))


@register_jitable
def _leave(control, record, thread, taken):
    own = _own(record, thread)
    word_store(own + TAKEN * WORD, taken)
    word_store(own + LEFT * WORD, _now(control))


@register_jitable
def _record(record, thread, taken, what, start, end):
    """Writes a part down, where there is room."""
    if taken < word_load(record + CAPACITY * WORD):
        place = _own(record, thread) + (LINE_WORDS + taken * RECORD_WORDS) * WORD
        words = array_at(place, (RECORD_WORDS,), int64)
        words[0] = what
        words[1] = start
        words[2] = end


@register_jitable
def _claim(line, part):
    """Whether a part was free and is now this thread's."""
    word = line + part // CLAIMS * WORD
    bit = int64(1) << (part % CLAIMS)
    if word_load(word) & bit:
        return False
    return (word_or(word, bit) & bit) == 0


@register_jitable
def _wait_until(ops, counters, finished, target, give_way):
    """Waits until all ops before `target` are done; returns how many are."""
    while finished < target:
        parts = word_load(ops + (finished * OP_WORDS + 2) * WORD)
        done = counters + (finished * LINE_WORDS + DONE) * WORD
        spins = 0
        while word_load(done) < parts:
            pause()
            spins += 1
            if spins > _SPIN_PART:
                call_plain(give_way)
        finished += 1
    return finished


@register_jitable
def work(control, worker):
    """A worker's life until it falls asleep or the team ends; returns 1 to sleep, 0 to end."""
    last = int64(0)
    idle = int64(0)
    asleep = control + (ASLEEP + worker * LINE_WORDS) * WORD
    give_way = word_load(control + YIELD * WORD)
    while True:
        if word_load(control + QUIT * WORD) != 0:
            return 0
        job = word_load(control + JOB * WORD)
        if job % 2 == 1 and job != last:
            word_add(control + ACTIVE * WORD, 1)
            # The job may have ended meanwhile; once counted as active, it cannot any more.
            still = word_load(control + JOB * WORD) == job
            if still and worker + 1 < word_load(control + THREADS * WORD):
                run_ops(control, worker + 1)
                idle = 0
            word_add(control + ACTIVE * WORD, -1)
            last = job
            continue
        idle += 1
        if idle < _SPIN_JOB:
            pause()
        elif idle < _SPIN_JOB + _YIELD_JOB:
            call_plain(give_way)
        else:
            word_store(asleep, 1)
            # A job that opened just now either sees us asleep and wakes us, or is seen here.
            job = word_load(control + JOB * WORD)
            if (job % 2 == 0 or job == last) or word_swap(asleep, 0) == 0:
                return 1
            idle = 0


@register_jitable
def open_job(control):
    """Publishes the job; returns it."""
    job = word_load(control + JOB * WORD) + 1
    word_store(control + JOB * WORD, job)
    return job


@register_jitable
def claim_sleeper(control, worker):
    """Whether a worker sleeps and is now this caller's to wake."""
    return word_swap(control + (ASLEEP + worker * LINE_WORDS) * WORD, 0)


@register_jitable
def finish_job(control):
    """Runs the open job to its end, closes it, and waits until no worker is inside it."""
    run_ops(control, 0)
    give_way = word_load(control + YIELD * WORD)
    word_store(control + JOB * WORD, word_load(control + JOB * WORD) + 1)
    spins = 0
    while word_load(control + ACTIVE * WORD) != 0:
        pause()
        spins += 1
        if spins > _SPIN_PART:
            call_plain(give_way)
