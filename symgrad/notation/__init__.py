"""The notation: text to `Layer`, and back."""
