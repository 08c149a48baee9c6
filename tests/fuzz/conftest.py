"""The fuzzer is a command of its own, which test_files.py runs."""

collect_ignore = ["damage.py", "files.py", "subjects.py"]
