"""PyTorch's own hand-written derivative formulas, read and judged.

    derivatives.yaml --entries--> Entry --reading--> terms about an operator's layer --judge--> Verdict
                                             ^
               operators.txt (a layer a row), helpers.txt (a helper function a row)

Nothing of PyTorch is imported or run: the file is data, and its formulas are parsed by a grammar of their own.
"""
