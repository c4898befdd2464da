"""What a forked process does, by `forked.py`: it becomes the stage. `REQUEST` is given to it."""

import os
import runpy
import sys

name, arguments, folder, environment, pipes = REQUEST  # noqa: F821 - by run_path
for number, (pipe,) in enumerate(pipes, start=1):
    os.dup2(pipe.detach(), number)
    os.close(pipe.detach())
os.environ.clear()
os.environ.update(environment)
os.chdir(folder)
sys.argv[1:] = arguments
runpy.run_module(f"tasks.{name}", run_name="__main__", alter_sys=True)
