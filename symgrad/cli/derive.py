def add(c): pass
def run(o): pass
