"""Random layers with shifted entries and labels, in one to three steps, each on top of the one before."""

from __future__ import annotations

import random

WRAPS = ("{}", "{}", "tanh({})", "({})**2", "sigmoid({})*{}", "exp(tanh({}))", "where({} > 0, {}, 2*{})")
STEPS = ("i + k", "2*i + k", "stride*i + k", "i + 2*k", "i + k")
HEAD = """input x[s, c, h]
parameter w[k], g[c], b
label t[s] in c, r[s, h] in c
constant stride = {stride}, padding = {padding}, eps = 0.5
index m = {window}
"""


def random_placed_layer(seed: int) -> str:
    """The text of a layer; the same for the same seed."""
    rng = random.Random(seed)
    head = HEAD.format(stride=rng.choice((1, 2)), padding=rng.choice((0, 1)), window=rng.choice((1, 2, 3)))
    lines = [_first(rng)]
    for number in range(rng.randint(0, 2)):
        lines.append(_next(rng, f"u{number}", f"u{number + 1}"))
    last = f"u{len(lines) - 1}"
    if rng.random() < 0.4:
        lines.append(f"L = mean[s, q]({_wrapped(rng, f'{last}[s, q]')}*g[t[s]])")
        last = "L"
    return head + "\n".join(lines) + f"\noutput {last}\n"


def _wrapped(rng: random.Random, text: str) -> str:
    return rng.choice(WRAPS).replace("{}", text)


def _padded(rng: random.Random, entry: str) -> str:
    return f"pad({entry}, {rng.choice(('0', '1', 'padding'))})" if rng.random() < 0.4 else entry


def _first(rng: random.Random) -> str:
    """A definition over samples and positions from x."""
    channel = rng.choice(("c", "t[s]"))
    entry = _wrapped(rng, _padded(rng, f"x[s, {channel}, {rng.choice(STEPS)}]"))
    bound = "c, k" if channel == "c" else "k"
    weight = rng.choice(("w[k]", "w[k]", "(w[k] + b)", f"w[k]*g[{channel}]"))
    body = f"{rng.choice(('sum', 'mean'))}[{bound}]({weight}*{entry})"
    if rng.random() < 0.3:
        body += rng.choice((" + g[t[s]]", "*b", " + mean[h](x[s, r[s, h], h])", " + mean[h](g[r[s, h]])"))
    return f"u0[s, i] = {body}"


def _next(rng: random.Random, before: str, name: str) -> str:
    """A definition over fewer positions from the one before."""
    entry = f"{before}[s, {rng.choice(('j + m', '2*j + m', 'stride*j + m'))}]"
    letter = {"u1": "j", "u2": "l"}[name]
    entry = entry.replace("j", letter)
    kind = rng.random()
    if kind < 0.3:
        body = f"max[m]({entry})"
    elif kind < 0.6:
        body = f"mean[m]({_wrapped(rng, _padded(rng, entry))})"
    else:
        body = f"sum[m]({_wrapped(rng, _padded(rng, entry))}*where({letter} < m, 2, b))"
    return f"{name}[s, {letter}] = {body}"
