"""The words of the story grammar: kinds of hero, names, places, things, and the pools of nouns.

Every string may itself be a template (see `template.py`); `[a|b]` is settled once per story.
"""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> list[str]:
    """The words of a line, which reads better than a list of strings."""
    return text.split()


GIRL_NAMES = _words(
    "Lily Mia Anna Lucy Sara Emma Ella Rosie Molly Nora Ivy Hazel Ruby Clara Zoe Amy Kate Jane "
    "Bella Maya Leah Alice Daisy Elsie Lena Nina Tess Wendy Sophie Grace Holly Jenny Maria Priya "
    "Aisha Yuki Lina Freya Ada Poppy Sally Sue Jill Nancy Betty Layla Eva Ellie Sofia Olivia"
)
BOY_NAMES = _words(
    "Tom Ben Sam Max Tim Jack Leo Finn Noah Oscar Hugo Theo Henry Toby Luke Adam Peter Billy "
    "Daniel Eli Omar Ravi Kenji Milo Felix Arthur Jonah Owen Oliver George Charlie Freddie Jake "
    "Nick Simon Pablo Diego Joe Dan David Harry Ethan Liam Bob John Mark Andy Tommy Timmy Eric"
)
SHE_ANIMAL_NAMES = _words(
    "Willow Nell Tilly Hazel Pearl Clover Dot Fern Pippa Maple Juniper Penny Flora Bonnie Luna "
    "Tansy Minnie Sunny Dora Mabel Cleo Coco Ginger Honey Bluebell Nutmeg Dotty Peaches Misty "
    "Pepper Violet Winnie Zuzu Sky Marigold Snowy Bibi Ember Lulu Olive"
)
HE_ANIMAL_NAMES = _words(
    "Pip Bruno Rusty Biscuit Bramble Tuck Barnaby Chester Digby Ollie Ozzie Rolo Wilbur Hopper "
    "Bobby Button Dusty Gus Jasper Mumble Nibble Otto Patch Pickle Puddle Rufus Scamp Sprout "
    "Teddy Thistle Tumble Waffle Ziggy Bertie Basil Monty Duke Spark Bo Fidget"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of hero: its noun, its home and the group of places it lives in."""

    noun: str
    home: str
    group: str
    gender: str = ""
    """'she' or 'he' where the noun fixes it, else empty."""


def _kinds(group: str, rows: str) -> list[Kind]:
    """One kind for each 'nouns: home' row."""
    kinds = []
    for row in rows.strip().splitlines():
        nouns, home = row.split(":")
        kinds += [Kind(noun.strip(), home.strip(), group) for noun in nouns.split(",")]
    return kinds


CHILDREN = [
    Kind("boy", "a [small|cozy|tidy|yellow|little brick] house", "human", "he"),
    Kind("girl", "a [small|cozy|tidy|blue|little white] house", "human", "she"),
]
ROYALS = [
    Kind("prince", "a [tall|gray|shining] castle", "royal", "he"),
    Kind("princess", "a [tall|gray|shining] castle", "royal", "she"),
    Kind("knight", "a [small|round|gray] tower", "royal"),
    Kind("wizard", "a [small|crooked|round] tower", "royal", "he"),
    Kind("witch", "a [small|crooked|round] house", "royal", "she"),
    Kind("pirate", "a [small|crooked|wooden] house", "royal"),
]
ANIMALS = (
    _kinds(
        "wood",
        """
        rabbit, hare, mole, badger: a [cozy|warm|snug] burrow
        fox, wolf, bear, bear cub: a [warm|dry|cozy] den
        squirrel, owl, raccoon, chipmunk: a [hollow|tall|crooked] tree
        hedgehog, mouse, deer, skunk: a [snug|cozy] house under [an old oak|the roots of a tree]
        bird, sparrow, robin: a [round|soft|tidy] nest in a tall tree
        crow, bat, moose, lizard: a [quiet|shady] corner
        bee, ladybug, butterfly, ant: a [tiny|sunny] garden
        snail: a [tiny|mossy] corner under a fern
        """,
    )
    + _kinds(
        "farm",
        """
        lamb, sheep, calf, cow, goat, piglet, pig: a [red|big|warm] barn
        pony, horse, donkey: a [clean|warm] stable
        chick, hen, rooster, goose: a [little|wooden] henhouse
        hamster, turkey, dove, peacock: a [little|tidy] house
        puppy, dog, cat, kitten: a [little|blue|wooden] house
        """,
    )
    + _kinds(
        "water",
        """
        frog, toad: a [mossy|cool] house under a stone
        duck, duckling, swan: a [soft|dry] nest in the reeds
        otter, beaver, turtle: a [snug|round] house beside the water
        """,
    )
    + _kinds(
        "far",
        """
        elephant, lion, giraffe, zebra, hippo, tiger: a shady [grove|clearing]
        crocodile, rhino, leopard, ostrich, sloth, snake: a [cool|shady] corner
        monkey, panda, koala, parrot, kangaroo, camel: a leafy [hut|house]
        """,
    )
    + _kinds("ice", "penguin, polar bear, seal: a [round|neat] house of snow")
    + _kinds(
        "wonder",
        """
        dragon, dragon: a [warm|deep|dry] cave
        unicorn: a [quiet|shining] glade
        robot: a [tidy|bright] workshop
        fairy, elf, gnome: a [tiny|snug] house under a mushroom
        dinosaur, giant, troll, monster: a [wide|warm] cave
        """,
    )
)

# Where a group lives: how the opening says it, the place by its name, and the place with its word.
PLACES: dict[str, list[tuple[str, str, str]]] = {
    "human": [
        ("in a [little|quiet|sleepy|busy] village", "the village", "in the village"),
        ("in a [small|friendly|sunny] town", "the town", "in the town"),
        ("in a [big|bright|busy] city", "the city", "in the city"),
        ("in a fishing village by the sea", "the village", "in the village"),
        ("on a [small|green|busy] farm", "the farm", "on the farm"),
        ("on a [quiet|sunny|leafy] street", "the street", "on the street"),
        ("in a village at the foot of a [tall|snowy] mountain", "the village", "in the village"),
        ("in a village near the woods", "the village", "in the village"),
    ],
    "royal": [
        ("in a [faraway|small|green] kingdom", "the kingdom", "in the kingdom"),
        ("in a kingdom [by the sea|among the hills]", "the kingdom", "in the kingdom"),
    ],
    "wood": [
        ("in a [green|deep|quiet|shady] forest", "the forest", "in the forest"),
        ("in [Maple Wood|Willow Wood|Bramble Wood|Pine Wood]", "the wood", "in the wood"),
        ("at the edge of a [dark|great|green] forest", "the forest", "in the forest"),
        ("in a [sunny|green|narrow] valley", "the valley", "in the valley"),
        ("in a [wide|bright|windy] meadow", "the meadow", "in the meadow"),
    ],
    "farm": [
        ("on a [small|busy|sunny|green] farm", "the farm", "on the farm"),
        ("on a farm by the river", "the farm", "on the farm"),
        ("on a farm [near the hills|at the end of a long road]", "the farm", "on the farm"),
        ("in a [little|quiet] village", "the village", "in the village"),
    ],
    "water": [
        ("by a [wide|slow|bright] river", "the river", "by the river"),
        ("beside a [blue|still|silver] lake", "the lake", "by the lake"),
        ("near a [round|quiet|green] pond", "the pond", "by the pond"),
    ],
    "far": [
        ("in a [green|warm|leafy] jungle", "the jungle", "in the jungle"),
        ("on a [warm|small|sunny] island", "the island", "on the island"),
        ("in a land of tall grass and big skies", "the land", "in the land"),
    ],
    "ice": [
        ("on a [white|windy] shore at the top of the world", "the shore", "on the shore"),
        ("on an island of ice and snow", "the island", "on the island"),
    ],
    "wonder": [
        ("in a [faraway|hidden|green] valley", "the valley", "in the valley"),
        ("on a [tall|misty|blue] mountain", "the mountain", "on the mountain"),
        ("in a [magic|silver|quiet] forest", "the forest", "in the forest"),
        ("in a land far, far away", "the land", "in the land"),
    ],
}

# The animals that are grown-up neighbors, with a gender that goes with their title.
NEIGHBOR_ANIMALS = _words(
    "Badger Owl Bear Goose Turtle Hare Beaver Goat Hen Mole Otter Duck Toad Sheep Donkey"
)
NEIGHBOR_JOBS = _words(
    "baker gardener teacher farmer painter carpenter shopkeeper tailor clockmaker librarian "
    "doctor miller potter beekeeper toymaker"
)
SURNAMES = _words(
    "Green Hill Reed Brown Lane Wood Field Stone Bell Cook Moss Park Gray Bloom Fisher March "
    "Winter Lamb Pepper Plum"
)
# Name, pronoun, and the plain word for the relation.
FAMILY = [
    ("Mom", "she", "mother"),
    ("Mama", "she", "mother"),
    ("Dad", "he", "father"),
    ("Papa", "he", "father"),
    ("Grandma", "she", "grandmother"),
    ("Grandpa", "he", "grandfather"),
    ("Aunt Rose", "she", "aunt"),
    ("Uncle Ned", "he", "uncle"),
]

# Syllables of made-up names, from which a model learns to copy a name that it does not know.
NAME_HEADS = _words("Ba Be Bo Da De Do Fa Fi Ga Go Ka Ki Ko La Le Li Lo Ma Mi Mo Na Ne No Pa Pi Po")
NAME_HEADS += _words("Ra Re Ri Ro Sa Si So Ta Te To Va Vi Wa We Ya Yo Za Zi Zo Bri Cla Dra Fre Gri")
NAME_MIDDLES = _words("b d f g k l ll m n nd r rr t v z st")
NAME_TAILS = _words("a o i e ie y an en in on ar el ik or us")

TRAITS = _words(
    "cheerful curious clever kind gentle merry playful friendly lively quiet happy bright funny "
    "thoughtful"
)

# Pools that a plot names as {pool} or {pool1}, {pool2}: a row's columns are its fields.
# The first column is what the bare name gives.
POOLS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "spot": (
        ("", "at"),
        [
            "the river | by the river",
            "the old oak tree | under the old oak tree",
            "the hill | on the hill",
            "the pond | near the pond",
            "the garden | in the garden",
            "the garden gate | by the garden gate",
            "the wooden bridge | under the wooden bridge",
            "the well | beside the well",
            "the big rocks | behind the big rocks",
            "the tall grass | in the tall grass",
            "the berry bushes | among the berry bushes",
            "the old mill | behind the old mill",
            "the apple trees | under the apple trees",
            "the stone wall | along the stone wall",
            "the willow tree | under the willow tree",
            "the flower beds | among the flower beds",
            "the path | along the path",
            "the fallen log | under the fallen log",
            "the little stream | by the little stream",
            "the hay | in the hay",
        ],
    ),
    "thing": (
        ("noun", "adj"),
        [
            "kite | red, blue, yellow, striped, paper",
            "ball | red, blue, bouncy, striped, green",
            "drum | little, red, wooden, shiny",
            "toy boat | red, wooden, tiny, white",
            "storybook | old, blue, thick, favorite",
            "scarf | red, warm, woolly, yellow, striped",
            "hat | green, red, pointed, floppy, woolly",
            "bell | silver, little, golden, brass",
            "lantern | little, brass, green, shiny",
            "button | golden, shiny, blue, big",
            "whistle | tin, silver, wooden, shiny",
            "basket | little, round, brown, new",
            "blanket | soft, blue, warm, patchwork",
            "teddy bear | brown, old, soft, fluffy",
            "wooden horse | little, painted, white",
            "key | rusty, golden, tiny, silver",
            "map | old, folded, secret, torn",
            "shell | pink, smooth, white, spiral",
            "stone | shiny, smooth, blue, lucky",
            "feather | white, blue, long, golden",
            "cup | blue, little, painted, tin",
            "umbrella | red, yellow, spotted, big",
            "flute | wooden, silver, little, new",
            "music box | old, tiny, painted, golden",
            "paintbrush | new, long, favorite, thin",
            "marble | green, glass, blue, lucky",
            "ribbon | purple, red, silky, long",
            "toy train | red, wooden, shiny, little",
            "puppet | funny, wooden, little, painted",
            "backpack | green, little, red, new",
            "watch | silver, old, golden, tiny",
            "coin | gold, old, shiny, lucky",
            "toy car | blue, fast, shiny, little",
            "crown | paper, golden, tiny, shiny",
            "spinning top | red, painted, wooden, bright",
        ],
    ),
    "treat": (
        ("", "one"),
        [
            "honey cakes | honey cake",
            "cookies | cookie",
            "muffins | muffin",
            "pancakes | pancake",
            "berry tarts | berry tart",
            "apple pies | apple pie",
            "cinnamon rolls | cinnamon roll",
            "jam sandwiches | jam sandwich",
            "ginger biscuits | ginger biscuit",
            "cheese pies | cheese pie",
        ],
    ),
    "fruit": (
        ("", "one", "plain"),
        [
            "red apples | apple | apples",
            "ripe pears | pear | pears",
            "sweet berries | berry | berries",
            "crunchy carrots | carrot | carrots",
            "juicy plums | plum | plums",
            "big strawberries | strawberry | strawberries",
            "brown nuts | nut | nuts",
            "round peaches | peach | peaches",
            "purple grapes | grape | grapes",
            "sweet cherries | cherry | cherries",
        ],
    ),
    "flower": (
        ("", "one"),
        [
            "daisies | daisy",
            "sunflowers | sunflower",
            "tulips | tulip",
            "bluebells | bluebell",
            "roses | rose",
            "poppies | poppy",
            "buttercups | buttercup",
            "violets | violet",
        ],
    ),
    "color": (("",), _words("red blue yellow green purple orange white pink golden silver")),
    "number": (("",), _words("three four five six seven eight nine ten")),
    "love": (
        ("",),
        [
            "climb trees",
            "pick flowers",
            "paint pictures",
            "sing songs",
            "look at the stars",
            "chase butterflies",
            "read stories",
            "collect pretty stones",
            "splash in puddles",
            "watch the clouds",
            "roll down hills",
            "make new things",
            "play hide and seek",
            "dance in the sun",
            "listen to the birds",
            "jump over logs",
            "ask questions",
            "tell jokes",
            "draw pictures",
            "run and play",
        ],
    ),
    "sound": (("",), _words("crack thump rustle squeak tap creak pop clink")),
}

# How a day looks in each season, and how a night does. Winter comes only where a plot asks for it.
SEASONS: dict[str, list[str]] = {
    "spring": _words("bright fresh mild warm breezy sunny"),
    "summer": _words("hot sunny warm bright lovely long"),
    "autumn": _words("windy golden misty cool crisp gray"),
    "winter": _words("cold snowy frosty crisp icy gray"),
}
NIGHTS: dict[str, list[str]] = {
    "spring": _words("mild clear quiet starry"),
    "summer": _words("warm clear starry still"),
    "autumn": _words("cool windy misty clear"),
    "winter": _words("cold snowy frosty starry"),
}
