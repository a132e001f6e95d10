"""What is told to whoever watches never stops the work, though they have gone."""

import os
import subprocess
import sys


def test_lines_to_nobody_end_nothing():
    read, write = os.pipe()
    os.close(read)
    told = "from vitalbench.progress import say; say('one'); say('two'); print('done')"
    found = subprocess.run([sys.executable, "-c", told], stdout=subprocess.PIPE, stderr=write, text=True, check=False)
    os.close(write)
    assert (found.returncode, found.stdout) == (0, "done\n")
