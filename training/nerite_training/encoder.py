"""The network: a BERT encoder with a token-classification head.

Written out rather than taken from a library: the exported graph then holds just the operators named here, and layers
can be dropped for the student.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .codebook import CodedEmbedding
from .e5 import E5File
from .labels import LABELS


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; the defaults are multilingual-e5-small's."""

    vocabulary: int
    layers: int = 12
    hidden: int = 384
    heads: int = 12
    feed_forward: int = 1536
    positions: int = 512
    epsilon: float = 1e-12
    labels: int = len(LABELS)
    embedding_bytes: int | None = None  # bytes a piece, if its embedding is made of codes


@torch.no_grad()
def as_int8(weight: Tensor) -> Tensor:
    """`weight` after int8 and back, symmetric, with a scale for each row."""
    scale = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127
    return (weight / scale).round() * scale


@torch.no_grad()
def as_uint8(x: Tensor) -> Tensor:
    """`x` after uint8 and back, with a scale and a zero point for each window, as the runtimes find them.

    In a batch, padding counts into the range, so that it can be wider than without.
    """
    low = x.amin(dim=(1, 2), keepdim=True).float().clamp_max(0)
    high = x.amax(dim=(1, 2), keepdim=True).float().clamp_min(0)
    scale = ((high - low) / 255).clamp_min(1e-8)
    zero = (-low / scale).round()
    return (((x / scale).round() + zero).clamp_(0, 255) - zero) * scale


class Projection(nn.Linear):
    """A linear map that, if told to, computes with the rounding of its int8 self; gradients pass straight through.

    Under bfloat16 the rounded values lose their last bit again, so that training sees a little more noise than there is.
    """

    rounding = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.rounding:
            return super().forward(x)
        weight = self.weight + (as_int8(self.weight) - self.weight).detach()
        return F.linear(x + (as_uint8(x) - x).detach(), weight, self.bias)


class Layer(nn.Module):
    """Self-attention and feed-forward, each with its residual sum normalised after."""

    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        self.heads = shape.heads
        self.query = Projection(shape.hidden, shape.hidden)
        self.key = Projection(shape.hidden, shape.hidden)
        self.value = Projection(shape.hidden, shape.hidden)
        self.attended = Projection(shape.hidden, shape.hidden)
        self.attention_norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.widen = Projection(shape.hidden, shape.feed_forward)
        self.narrow = Projection(shape.feed_forward, shape.hidden)
        self.output_norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, tokens, hidden = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, tokens, self.heads, hidden // self.heads).transpose(1, 2).contiguous()

        # Written out because the fused kernel's backward pass on a CPU takes six times as long in bfloat16.
        query = split(self.query(x)) * (hidden // self.heads) ** -0.5
        scores = query @ split(self.key(x)).transpose(-1, -2) + mask
        context = scores.softmax(dim=-1).to(query.dtype) @ split(self.value(x))
        context = context.transpose(1, 2).reshape(batch, tokens, hidden)
        x = self.attention_norm(x + self.attended(context))
        return self.output_norm(x + self.dropout(self.narrow(F.gelu(self.widen(x)))))


class Tagger(nn.Module):
    """Token ids → one score a label for each token."""

    def __init__(self, shape: Shape, dropout: float = 0.1):
        super().__init__()
        self.shape = shape
        if shape.embedding_bytes:
            self.words = CodedEmbedding(shape.vocabulary, shape.hidden, shape.embedding_bytes)
        else:
            self.words = nn.Embedding(shape.vocabulary, shape.hidden)
        self.places = nn.Embedding(shape.positions, shape.hidden)
        self.embedding_norm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(shape.hidden, shape.labels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def with_words(self, words: CodedEmbedding) -> "Tagger":
        """This tagger with other embeddings of the pieces."""
        self.shape = replace(self.shape, embedding_bytes=words.codes.shape[1])
        self.words = words
        return self

    def round_as_int8(self) -> None:
        """From now on compute as the int8 graph does, the head and the embeddings apart."""
        for module in self.modules():
            if isinstance(module, Projection):
                module.rounding = True

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The last layer's state of each token."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.dropout(self.embedding_norm(self.words(input_ids) + self.places(places)))
        mask = ((1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -1e4).to(x.dtype)
        if torch.is_autocast_enabled(x.device.type):
            mask = mask.to(torch.get_autocast_dtype(x.device.type))
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.encode(input_ids, attention_mask))


def from_e5(base: E5File, kept: list[int], dropout: float = 0.1) -> Tagger:
    """A tagger with the weights of `base`, its embeddings cut down to the pieces in `kept`, and a fresh head."""
    hidden = base.hidden
    shape = Shape(len(kept), base.layers, hidden, base.heads, base.feed_forward, base.positions, base.epsilon)
    model = Tagger(shape, dropout)

    def vector(name: str) -> Tensor:
        return torch.from_numpy(base.tensor(name))

    def matrix(name: str, columns: int = hidden) -> Tensor:
        return torch.from_numpy(base.matrix(name, columns))

    state = {
        "words.weight": matrix("emb.word")[torch.tensor(kept)],
        # Each token is of segment type 0, so that type's vector folds into the positions.
        "places.weight": matrix("emb.pos") + matrix("emb.type")[0],
        "embedding_norm.weight": vector("emb.ln.w"),
        "embedding_norm.bias": vector("emb.ln.b"),
        "head.weight": model.head.weight,
        "head.bias": model.head.bias,
    }
    linear = {"query": "q", "key": "k", "value": "v", "attended": "ao", "widen": "fi", "narrow": "fo"}
    norms = {"attention_norm": "aln", "output_norm": "oln"}
    for number in range(base.layers):
        for ours, theirs in linear.items():
            columns = base.feed_forward if ours == "narrow" else hidden
            state[f"layers.{number}.{ours}.weight"] = matrix(f"l{number}.{theirs}.w", columns)
            state[f"layers.{number}.{ours}.bias"] = vector(f"l{number}.{theirs}.b")
        for ours, theirs in norms.items():
            state[f"layers.{number}.{ours}.weight"] = vector(f"l{number}.{theirs}.w")
            state[f"layers.{number}.{ours}.bias"] = vector(f"l{number}.{theirs}.b")
    model.load_state_dict(state)
    return model


def student_of(teacher: Tagger, layers: list[int], neurons: list[Tensor] | None = None, dropout: float = 0.1) -> Tagger:
    """A tagger with the teacher's embeddings and head and only its `layers` (counted from 0).

    With `neurons`, only those of each of the teacher's feed-forwards.
    """
    width = len(neurons[0]) if neurons else teacher.shape.feed_forward
    student = Tagger(replace(teacher.shape, layers=len(layers), feed_forward=width), dropout)
    state = {name: value for name, value in teacher.state_dict().items() if not name.startswith("layers.")}
    for ours, theirs in enumerate(layers):
        values = teacher.layers[theirs].state_dict()
        if neurons:
            kept = neurons[theirs]
            values["widen.weight"], values["widen.bias"] = values["widen.weight"][kept], values["widen.bias"][kept]
            values["narrow.weight"] = values["narrow.weight"][:, kept]
        for name, value in values.items():
            state[f"layers.{ours}.{name}"] = value
    student.load_state_dict(state)
    return student
