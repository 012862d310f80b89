"""The calculus: rules, the recorder, and the two routes to a gradient."""
