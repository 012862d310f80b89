"""PyTorch's own implementation of gallery layers: what emitted kernels are compared with.

A row for each layer that PyTorch has: a function of the layer's tensors and constants, by name, as
attributes of `t`. Where PyTorch has no such layer, the row writes it with PyTorch's own operators
in the form of its source, and its label says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Outputs = Any
"""One tensor, a tuple in the order of the layer's outputs, or, for a network, a dictionary by name."""


@dataclass(frozen=True)
class Reference:
    """A row.

    Attributes:
        label: what it is, for the report.
        compute: from tensors and constants to the outputs; for a network also what lies between
            its layers, by name.
        kinds: what the numbers of a tensor are, where they cannot be any (see samples.KINDS).
        article: whether it is one of the article's layers, to be run on the article's data too.
    """

    label: str
    compute: Callable[[Any], Outputs]
    kinds: Mapping[str, str] = field(default_factory=dict)
    article: bool = False


Rows = dict[str, Reference]


@cache
def references() -> Rows:
    """Every row, by the name of its layer."""
    import torch

    made = (_normalization, _activations, _gates, _errors, _likelihoods, _margins, _mixing, _windows, _cells, _networks)
    return {name: row for family in made for name, row in family(torch, torch.nn.functional).items()}


def _normalization(torch: Any, nn: Any) -> Rows:
    def per_sample(t: Any) -> Any:
        # torch.instance_norm and torch.group_norm take one position too, which nn.functional refuses
        y = torch.instance_norm(t.x.reshape(*t.x.shape[:2], -1), t.w, t.beta, None, None, True, 0.0, t.eps, False)
        return y.reshape(t.x.shape)

    def groups(t: Any) -> Any:
        y = torch.group_norm(t.x.flatten(1, 2), t.x.shape[1], t.w.flatten(), t.beta.flatten(), t.eps, False)
        return y.reshape(t.x.shape)

    def direction(t: Any) -> Any:
        return torch._weight_norm(t.v.reshape(len(t.v), -1), t.g[:, None], 0).reshape(t.v.shape)

    return {
        "batch_norm": Reference("torch F.batch_norm", lambda t: _batch_norm(nn, t), article=True),
        "batch_norm_eval": Reference(
            "torch F.batch_norm, training=False",
            lambda t: nn.batch_norm(t.x, t.mu, t.var, t.w, t.beta, training=False, eps=t.eps),
            {"var": "positive"},
        ),
        "layer_norm": Reference("torch F.layer_norm", lambda t: nn.layer_norm(t.x, t.x.shape[-1:], t.w, t.beta, t.eps)),
        "rms_norm": Reference("torch F.rms_norm", lambda t: nn.rms_norm(t.x, t.x.shape[-1:], t.w, t.eps)),
        "instance_norm": Reference("torch.instance_norm", per_sample),
        "group_norm": Reference("torch.group_norm", groups),
        "l2_normalize": Reference("torch F.normalize", lambda t: nn.normalize(t.x, dim=-1, eps=t.eps)),
        "weight_norm": Reference("torch._weight_norm", direction),
    }


def _batch_norm(nn: Any, t: Any) -> Any:
    return nn.batch_norm(t.x, None, None, t.w, t.beta, training=True, eps=t.eps)


_NO_THRESHOLD = 40.0
"""From here on log(1 + exp(u)) is u in float64: PyTorch's default, 20, is off by 2e-9 there."""


def _activations(torch: Any, nn: Any) -> Rows:
    return {
        "sigmoid": Reference("torch.sigmoid", lambda t: torch.sigmoid(t.y), article=True),
        "tanh": Reference("torch.tanh", lambda t: torch.tanh(t.x)),
        "relu": Reference("torch F.relu", lambda t: nn.relu(t.x)),
        "leaky_relu": Reference("torch F.leaky_relu", lambda t: nn.leaky_relu(t.x, t.slope)),
        "prelu": Reference("torch F.prelu", lambda t: nn.prelu(t.x, t.w)),
        "elu": Reference("torch F.elu", lambda t: nn.elu(t.x, t.alpha)),
        "selu": Reference("torch F.selu", lambda t: nn.selu(t.x)),
        "celu": Reference("torch F.celu", lambda t: nn.celu(t.x, t.alpha)),
        "gelu": Reference("torch F.gelu", lambda t: nn.gelu(t.x)),
        "gelu_tanh": Reference("torch F.gelu, approximate=tanh", lambda t: nn.gelu(t.x, approximate="tanh")),
        "silu": Reference("torch F.silu", lambda t: nn.silu(t.x)),
        "mish": Reference("torch F.mish", lambda t: nn.mish(t.x)),
        "softplus": Reference("torch F.softplus", lambda t: nn.softplus(t.x, t.beta, _NO_THRESHOLD)),
        "logsigmoid": Reference("torch F.logsigmoid", lambda t: nn.logsigmoid(t.x)),
        "softsign": Reference("torch F.softsign", lambda t: nn.softsign(t.x)),
        "hardtanh": Reference("torch F.hardtanh", lambda t: nn.hardtanh(t.x, t.low, t.high)),
        "relu6": Reference("torch F.relu6", lambda t: nn.relu6(t.x)),
        "hardswish": Reference("torch F.hardswish", lambda t: nn.hardswish(t.x)),
    }


def _gates(torch: Any, nn: Any) -> Rows:
    return {
        "glu": Reference(
            "torch F.glu", lambda t: nn.glu(torch.cat((t.x.flatten(), t.g.flatten())), 0).reshape(t.x.shape)
        ),
        "swiglu": Reference("torch F.silu(g) * x", lambda t: nn.silu(t.g) * t.x),
        "geglu": Reference("torch F.gelu(g) * x", lambda t: nn.gelu(t.g) * t.x),
    }


def _errors(torch: Any, nn: Any) -> Rows:  # noqa: ARG001 - a family takes both
    return {
        "mse": Reference("torch F.mse_loss", lambda t: nn.mse_loss(t.z, t.t), article=True),
        "l1": Reference("torch F.l1_loss", lambda t: nn.l1_loss(t.z, t.t)),
        "huber": Reference("torch F.huber_loss", lambda t: nn.huber_loss(t.z, t.t, delta=t.delta)),
        "smooth_l1": Reference("torch F.smooth_l1_loss", lambda t: nn.smooth_l1_loss(t.z, t.t, beta=t.beta)),
    }


def _likelihoods(torch: Any, nn: Any) -> Rows:
    def focal(t: Any) -> Any:
        p = torch.sigmoid(t.x)
        wrong = 1 - (p * t.t + (1 - p) * (1 - t.t))
        weight = t.alpha * t.t + (1 - t.alpha) * (1 - t.t)
        return (weight * wrong**t.gamma * nn.binary_cross_entropy_with_logits(t.x, t.t, reduction="none")).mean()

    return {
        "cross_entropy": Reference("torch F.cross_entropy", lambda t: nn.cross_entropy(t.x, t.q), {"q": "share"}),
        "cross_entropy_smooth": Reference(
            "torch F.cross_entropy, label_smoothing",
            lambda t: nn.cross_entropy(t.x, t.q, label_smoothing=t.smoothing),
            {"q": "share"},
        ),
        "cross_entropy_weighted": Reference(
            "torch F.cross_entropy, weight",
            lambda t: nn.cross_entropy(t.x, t.q, weight=t.w),
            {"q": "share", "w": "positive"},
        ),
        "nll": Reference("torch F.nll_loss", lambda t: nn.nll_loss(t.x, t.t)),
        "cross_entropy_labels": Reference("torch F.cross_entropy", lambda t: nn.cross_entropy(t.x, t.t)),
        "cross_entropy_labels_weighted": Reference(
            "torch F.cross_entropy, weight and label_smoothing",
            lambda t: nn.cross_entropy(t.x, t.t, t.w, label_smoothing=t.smoothing),
            {"w": "positive"},
        ),
        "bce": Reference(
            "torch F.binary_cross_entropy", lambda t: nn.binary_cross_entropy(t.p, t.t), {"p": "unit", "t": "share"}
        ),
        "bce_with_logits": Reference(
            "torch F.binary_cross_entropy_with_logits",
            lambda t: nn.binary_cross_entropy_with_logits(t.x, t.t),
            {"t": "share"},
        ),
        "kl_div": Reference("torch F.kl_div", lambda t: nn.kl_div(t.x, t.t, reduction="batchmean"), {"t": "share"}),
        "poisson_nll": Reference("torch F.poisson_nll_loss", lambda t: nn.poisson_nll_loss(t.x, t.t), {"t": "count"}),
        "gaussian_nll": Reference(
            "torch F.gaussian_nll_loss",
            lambda t: nn.gaussian_nll_loss(t.mu, t.t, t.var, eps=t.eps),
            {"var": "positive"},
        ),
        "focal": Reference("torch sigmoid and F.binary_cross_entropy_with_logits", focal, {"t": "binary"}),
    }


def _margins(torch: Any, nn: Any) -> Rows:
    label = {"t": "sign"}
    return {
        "hinge": Reference("torch.clamp", lambda t: torch.clamp(t.margin - t.t * t.x, min=0).mean(), label),
        "hinge_embedding": Reference(
            "torch F.hinge_embedding_loss", lambda t: nn.hinge_embedding_loss(t.x, t.t, t.margin), label
        ),
        "cosine_similarity": Reference(
            "torch F.cosine_similarity", lambda t: nn.cosine_similarity(t.x, t.y, dim=-1, eps=t.eps)
        ),
        "cosine_embedding": Reference(
            "torch F.cosine_embedding_loss", lambda t: nn.cosine_embedding_loss(t.x, t.y, t.t, t.margin), label
        ),
        "triplet_margin": Reference(
            "torch F.triplet_margin_loss",
            lambda t: nn.triplet_margin_loss(t.a, t.p, t.n, t.margin, eps=t.eps),
        ),
    }


def _mixing(torch: Any, nn: Any) -> Rows:
    def turned(t: Any) -> tuple[Any, Any]:
        z = torch.complex(t.x, t.y) * torch.polar(torch.ones_like(t.angle), t.angle)
        return z.real, z.imag

    return {
        "linear": Reference("torch F.linear", lambda t: nn.linear(t.x, t.w, t.bias)),
        "bilinear": Reference("torch F.bilinear", lambda t: nn.bilinear(t.x, t.z, t.w, t.bias)),
        "softmax": Reference("torch F.softmax", lambda t: nn.softmax(t.x, -1)),
        "log_softmax": Reference("torch F.log_softmax", lambda t: nn.log_softmax(t.x, -1)),
        "logsumexp": Reference("torch.logsumexp", lambda t: torch.logsumexp(t.x, -1)),
        "attention": Reference(
            "torch F.scaled_dot_product_attention",
            lambda t: nn.scaled_dot_product_attention(t.q, t.k, t.v),
            {"q": "score", "k": "score"},
        ),
        "causal_attention": Reference(
            "torch F.scaled_dot_product_attention, is_causal",
            lambda t: nn.scaled_dot_product_attention(t.q, t.k, t.v, is_causal=True),
            {"q": "score", "k": "score"},
        ),
        "embedding": Reference("torch F.embedding", lambda t: nn.embedding(t.t, t.weight)),
        "rope": Reference("torch.polar, a complex product", turned),
        "cumsum": Reference("torch.cumsum", lambda t: torch.cumsum(t.x, -1)),
    }


def _windows(torch: Any, nn: Any) -> Rows:  # noqa: ARG001 - a family takes both
    return {
        "conv1d": Reference("torch F.conv1d", lambda t: nn.conv1d(t.x, t.weight, t.bias, t.stride, t.padding)),
        "conv2d": Reference("torch F.conv2d", lambda t: nn.conv2d(t.x, t.weight, t.bias, t.stride, t.padding)),
        "avg_pool": Reference("torch F.avg_pool2d", lambda t: nn.avg_pool2d(t.x, t.window, t.stride)),
        "max_pool": Reference("torch F.max_pool2d", lambda t: nn.max_pool2d(t.x, t.window, t.stride), {"x": "tieless"}),
        "local_response_norm": Reference(
            "torch F.local_response_norm",
            lambda t: nn.local_response_norm(
                t.x.reshape(*t.x.shape[:2], -1), 2 * t.radius + 1, t.alpha, t.beta, t.bias
            ).reshape(t.x.shape),
        ),
    }


def _cells(torch: Any, nn: Any) -> Rows:  # noqa: ARG001 - a family takes both
    def stack(t: Any, *names: str) -> Any:
        return torch.cat([getattr(t, name) for name in names])

    def gates(t: Any, letters: str) -> list[Any]:
        """PyTorch's weight_ih, weight_hh, bias_ih and bias_hh: the gates one below the other."""
        return [stack(t, *(f"{kind}_{side}{gate}" for gate in letters)) for kind in "wb" for side in "ih"]

    return {
        "lstm_cell": Reference("torch.lstm_cell", lambda t: torch.lstm_cell(t.x, (t.h, t.c), *gates(t, "ifgo"))),
        "gru_cell": Reference("torch.gru_cell", lambda t: torch.gru_cell(t.x, t.h, *gates(t, "rzn"))),
    }


def _networks(torch: Any, nn: Any) -> Rows:
    def article(t: Any) -> dict[str, Any]:
        y = _batch_norm(nn, t)
        z = torch.sigmoid(y)
        return {"y": y, "z": z, "L": nn.mse_loss(z, t.t)}

    def classifier(t: Any) -> dict[str, Any]:
        u = nn.linear(t.x, t.w1, t.b1)
        n = nn.layer_norm(u, u.shape[-1:], t.g, t.beta, t.eps)
        a = nn.gelu(n)
        z = nn.linear(a, t.w2, t.b2)
        return {"u": u, "n": n, "a": a, "z": z, "L": nn.cross_entropy(z, t.q)}

    def block(t: Any) -> Any:
        a = nn.rms_norm(t.x, t.x.shape[-1:], t.g1, t.eps)
        q, k, v = (torch.einsum("bnd,hed->bhne", a, w) for w in (t.wq, t.wk, t.wv))
        o = nn.scaled_dot_product_attention(q, k, v, is_causal=True)
        u = t.x + torch.einsum("bhne,dhe->bnd", o, t.wo)
        m = nn.rms_norm(u, u.shape[-1:], t.g2, t.eps)
        return u + nn.linear(nn.silu(nn.linear(m, t.w_gate)) * nn.linear(m, t.w_up), t.w_down)

    return {
        "batch_norm_sigmoid_mse": Reference("torch batch_norm, sigmoid, mse", article, article=True),
        "mlp_classifier": Reference("torch linear, layer_norm, gelu, cross_entropy", classifier, {"q": "share"}),
        "transformer_block": Reference("torch rms_norm, attention, silu and products", block),
    }
