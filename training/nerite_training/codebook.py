"""Product quantisation of the embeddings: each piece is a row of bytes instead of a row of numbers.

A vector is cut into groups of neighbouring dimensions; in each group a byte names one of 256 vectors found by k-means
(Jégou, Douze, Schmid: "Product quantization for nearest neighbor search", 2011). The spectrum of the base's embeddings
is nearly flat, so that a factorised table of the same size would lose far more (128 of 384 dimensions keep 60 % of the
variance; 96 bytes a piece keep 91 %, 64 bytes 80 %).
"""

import torch
from torch import Tensor, nn

CODES = 256
ITERATIONS = 12


class CodedEmbedding(nn.Module):
    """Ids → vectors put together from the codebooks; what the codes mean is learnt, which code a piece has is not."""

    def __init__(self, pieces: int, hidden: int, groups: int):
        super().__init__()
        self.register_buffer("codes", torch.zeros(pieces, groups, dtype=torch.uint8))
        self.vectors = nn.Parameter(torch.zeros(groups * CODES, hidden // groups))
        self.register_buffer("first", torch.arange(groups) * CODES, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.vectors[self.codes[ids].long() + self.first].flatten(-2)


@torch.no_grad()
def nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """For each vector the number of the centre that is nearest."""
    return (centres.square().sum(1) - 2 * vectors @ centres.T).argmin(1)


@torch.no_grad()
def cluster(vectors: Tensor, generator: torch.Generator) -> Tensor:
    """`CODES` centres of `vectors` by k-means; one that loses all its vectors begins anew at a random one."""

    def draw() -> Tensor:
        return vectors[torch.randint(len(vectors), (CODES,), generator=generator)]

    centres = draw()
    for _ in range(ITERATIONS):
        codes = nearest(vectors, centres)
        sums = torch.zeros_like(centres).index_add_(0, codes, vectors)
        counts = torch.bincount(codes, minlength=CODES)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), draw())
    return centres


@torch.no_grad()
def quantise_embeddings(weight: Tensor, groups: int, seed: int) -> CodedEmbedding:
    """The embeddings `weight` in `groups` bytes a piece."""
    generator = torch.Generator().manual_seed(seed)
    coded = CodedEmbedding(*weight.shape, groups)
    for group, vectors in enumerate(weight.float().chunk(groups, dim=1)):
        centres = cluster(vectors, generator)
        coded.vectors[group * CODES : (group + 1) * CODES] = centres
        coded.codes[:, group] = nearest(vectors, centres).to(torch.uint8)
    return coded
