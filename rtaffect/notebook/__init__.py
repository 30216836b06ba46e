"""What a scientist calls from Python: the functions behind ``rtaffect.__all__``, one matter per module.

Each runs the code of a live session. A mistake of the caller's is an RtaffectError that says what was expected.
"""
