"""Plans as pictures: the splits of a model and its layers in detail, as SVG or Mermaid.

names             layers of nodes, and names that stand for those of several layers
fold              splits that repeat, layer by layer, as one
overview          what is drawn of a whole plan: splits by memory, and the copies between them
layers            what is drawn of a layer: ops, tensors, weights; one drawing a kind of layer
shapes            boxes, lines and texts at coordinates; colors for them
ranks             a layout for small graphs
overview_picture, layer_picture, page    drawings at coordinates
svg               a picture as a file
mermaid           the same drawings as Mermaid flowcharts
"""
