"""The Python door: layers, derivations, verdicts and kernels as objects that show themselves.

`layer.py` is what a user holds; `views.py` and `answers.py` what it returns, each a record of the pipeline with its
text, LaTeX and HTML. `to_sympy.py` and `from_sympy.py` are the way out to SymPy and back;
they alone import it, and only when they are asked.
"""
