"""The walk: what the documents tell to type is typed, in order, from an empty folder.

``python -m tests.walk README.md docs/guide.md`` walks these pages and prints what was typed, seen, and how long it
took; ``--markdown`` prints it as the tables of docs/walk.md.
"""
