"""Hand-written kernels with one mistake each: a right one's text with one place changed.

Each row: the file, what is named in it, the layer, the text replaced and its replacement, the
result that is wrong, and words of which one must stand in the explanation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HAND = Path(__file__).resolve().parent / "hand"


@dataclass(frozen=True)
class Wrong:
    """A row; see the module's docstring."""

    file: str
    name: str
    layer: str
    old: str
    new: str
    what: str
    words: tuple[str, ...] = ()

    def written(self, folder: Path) -> str:
        """The wrong kernel in a file of `folder`, as `--against` names it."""
        text = (HAND / self.file).read_text(encoding="utf-8")
        place = re.search(rf"class {self.name}\b", text).start() if self.name else 0
        assert self.old in text[place:], self.old
        path = folder / self.file
        path.write_text(text[:place] + text[place:].replace(self.old, self.new, 1), encoding="utf-8")
        return f"{path}:{self.name}" if self.name else str(path)


BN, LN, NP, TK = "batch_norm_np.py", "layer_norm_torch.py", "numpy_kernels.py", "torch_kernels.py"


def bn(old: str, new: str, what: str, *words: str) -> Wrong:
    """A wrong batch normalization."""
    return Wrong(BN, "", "batch_norm", old, new, what, words)


def ln(old: str, new: str, what: str, *words: str) -> Wrong:
    """A wrong layer normalization."""
    return Wrong(LN, "LayerNorm", "layer_norm", old, new, what, words)


def of(name: str, layer: str, file: str, old: str, new: str, what: str, *words: str) -> Wrong:
    """Any other."""
    return Wrong(file, name, layer, old, new, what, words)


WRONG = (
    bn("d_beta = d_out.sum(", "d_beta = d_out.mean(", "d_beta", "mean"),
    bn("d_gamma = (d_out * xhat).sum(", "d_gamma = (d_out * xhat).mean(", "d_w", "mean"),
    bn("d_gamma = (d_out * xhat)", "d_gamma = xhat", "d_w", "d_y is left out"),
    bn("g.sum(axis=axes, keepdims=True) / n", "0", "d_x", "mu", "term"),
    bn("(g * xhat).sum(axis=axes, keepdims=True) / n) / std", "0) / std", "d_x", "var", "term"),
    bn(
        "(g - g.sum(axis=axes, keepdims=True) / n - xhat * (g * xhat).sum(axis=axes, keepdims=True) / n) / std",
        "g / std",
        "d_x",
        "mu and var are taken as constants",
    ),
    bn("g = d_out * gamma.reshape(shape)", "g = d_out", "d_x", "factor w is left out"),
    bn(
        "xhat * (g * xhat).sum(axis=axes, keepdims=True) / n",
        "(g * xhat).sum(axis=axes, keepdims=True) / n",
        "d_x",
        "missing",
    ),
    bn("keepdims=True) / n) / std", "keepdims=True) / n) / std**2", "d_x", "a factor 1/sqrt(var[c] + eps) too much"),
    bn("keepdims=True) / n) / std", "keepdims=True) / n)", "d_x", "missing"),
    bn("n = d_out.size // d_out.shape[1]", "n = d_out.shape[0]", "d_x", "N_k"),
    bn("n = d_out.size // d_out.shape[1]", "n = d_out.size", "d_x", "N_c"),
    bn("- xhat * (g", "+ xhat * (g", "d_x", "sign"),
    bn("d_x = (g -", "d_x = -(g -", "d_x", "sign is wrong"),
    bn("** 2).mean(axis=axes, keepdims=True) + eps", "** 2).mean(axis=axes, keepdims=True)", "y", "eps"),
    bn("+ eps)", "+ 1e-5)", "y", "eps is always"),
    ln("xhat * (g * xhat).mean(", "xhat * (g * xhat).sum(", "d_x", "sum for a mean", "N_d"),
    ln("(g - g.mean(-1, keepdim=True) -", "(g -", "d_x", "mu", "term"),
    ln("g = d_y * w\n", "g = d_y\n", "d_x", "factor w is left out"),
    ln(
        "d_w = (d_y * xhat).sum(over) if over else d_y * xhat",
        "d_w = (d_y * (x - mean)).sum(over) if over else d_y * (x - mean)",
        "d_w",
        "missing",
    ),
    ln("d_x = rstd * (g", "d_x = rstd**2 * (g", "d_x", "a factor 1/sqrt(var[b] + eps) too much"),
    ln("rstd = torch.rsqrt(var + ctx.eps)", "rstd = torch.rsqrt(var)", "d_w", "eps is left out"),
    of(
        "Softmax",
        "softmax",
        NP,
        "saved * (d_y - (saved * d_y).sum(axis=-1, keepdims=True))",
        "saved * (1 - saved) * d_y",
        "d_x",
        "forgotten",
    ),
    of("Softmax", "softmax", NP, "(saved * d_y).sum(", "(saved * d_y).mean(", "d_x", "mean"),
    of("Softmax", "softmax", NP, "(saved * d_y).sum(", "d_y.sum(", "d_x", "missing"),
    of("Softmax", "softmax", NP, "saved * (d_y -", "(d_y -", "d_x", "missing"),
    of("Linear", "linear", NP, '"bias": rows.sum(axis=0)', '"bias": rows.mean(axis=0)', "d_bias", "mean"),
    of("Linear", "linear", NP, '"w": rows.T @ flat', '"w": rows.T @ flat / len(flat)', "d_w", "mean"),
    of("Mse", "mse", NP, "d_loss * 2 * (z - t)", "d_loss * (z - t)", "d_z", "2"),
    of("Mse", "mse", NP, "/ z.size}", "}", "d_z", "N_i"),
    of("Mse", "mse", NP, "d_loss * 2 * (z - t)", "2 * (z - t)", "d_z", "d_L is left out"),
    of("Mse", "mse", NP, "(z - t) / z.size}", "(t - z) / z.size}", "d_z", "sign"),
    of("CrossEntropy", "cross_entropy", NP, "p * q.sum(axis=1, keepdims=True) - q", "p - q", "d_x", "sum"),
    of("CrossEntropy", "cross_entropy", NP, "- q) / n", "- q) / len(x)", "d_x", "N_k"),
    of("Attention", "attention", NP, "d_q = d_s @ k * scale", "d_q = d_s @ k", "d_q", "missing"),
    of(
        "Attention",
        "attention",
        NP,
        "d_s = p * (d_p - (p * d_p).sum(axis=-1, keepdims=True))",
        "d_s = p * d_p",
        "d_q",
        "missing",
    ),
    of("Attention", "attention", NP, "@ q * scale", "@ q * scale**2", "d_k", "1/size[d] instead of 1/sqrt(size[d])"),
    of("RmsNorm", "rms_norm", TK, "x * r**3 *", "x * r**2 *", "d_x", "instead of"),
    of("RmsNorm", "rms_norm", TK, "(g * x).sum(-1, keepdim=True) / n", "(g * x).sum(-1, keepdim=True)", "d_x", "N_d"),
    of("RmsNorm", "rms_norm", TK, "d_w = (d_y * x * r)", "d_w = (d_y * x)", "d_w", "missing"),
    of("Gelu", "gelu", TK, "(cdf + x * pdf)", "(cdf + pdf)", "d_x", "missing"),
    of("Gelu", "gelu", TK, "(cdf + x * pdf)", "cdf", "d_x", "missing"),
    of("Gelu", "gelu", TK, "torch.exp(-x * x / 2)", "torch.exp(-x * x)", "d_x", "number"),
    of("Network", "batch_norm_sigmoid_mse", TK, "d_loss * 2 * (z - t)", "2 * (z - t)", "d_x", "d_L is left out"),
    of("Network", "batch_norm_sigmoid_mse", TK, "d_y = d_z * z * (1 - z)", "d_y = d_z * (1 - z)", "d_x", "missing"),
    of("Network", "batch_norm_sigmoid_mse", TK, "_wide(w, x) * rstd *", "rstd *", "d_x", "factor w"),
    of(
        "Network",
        "batch_norm_sigmoid_mse",
        TK,
        "d_x = _wide(w, x) * rstd * (d_y - _wide(d_beta, x) / n -",
        "d_x = _wide(w, x) * rstd * (d_y -",
        "d_x",
        "mu",
        "term",
    ),
)
