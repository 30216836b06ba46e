"""What the start window chooses, finds and checks, without Qt: :mod:`rtaffect.view.start` only paints it."""
