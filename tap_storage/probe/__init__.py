"""`tap-storage-probe`: asks an API a handful of questions, and finds the settings that read it.

Each module asks one kind of question; `plan.py` has them in order. `asking.py` is the only one that knows of HTTP.
"""
