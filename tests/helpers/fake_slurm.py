"""As much of Slurm as submitit talks to: commands in a folder that run the tasks of a job array on this machine."""

import stat
import sys
from pathlib import Path

# One script under four names. A job's folder holds its script, and for each task its state and who it is.
SCRIPT = r'''#!{python}
import os, re, subprocess, sys
from pathlib import Path

home = Path(__file__).resolve().parent
name, arguments = Path(sys.argv[0]).name, sys.argv[1:]

def task(number):
    """Run a task, and again as often as it is queued again."""
    script = home / "script.sh"
    environment = os.environ | {{
        "SLURM_JOB_ID": f"{{100 + number}}", "SLURM_ARRAY_JOB_ID": "100", "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    }}
    while True:
        (home / f"state-{{number}}").write_text("RUNNING")
        subprocess.run(["bash", str(script)], env=environment, check=False)
        requeued = home / f"requeue-100_{{number}}"
        if not requeued.exists():
            break
        requeued.rename(home / f"requeued-{{number}}")
    (home / f"state-{{number}}").write_text("COMPLETED")

if name == "sbatch":
    text = Path(arguments[-1]).read_text()
    (home / "script.sh").write_text(text)
    last = int(re.search(r"--array=0-(\d+)", text)[1])
    for number in range(last + 1):
        (home / f"state-{{number}}").write_text("PENDING")
        subprocess.Popen(
            [sys.executable, str(home / "slurm.py"), "--task", str(number)], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    print("Submitted batch job 100")
elif name == "srun":
    place = arguments[arguments.index("--output") + 1]
    for pattern, value in {{"%A": "100", "%a": os.environ["SLURM_ARRAY_TASK_ID"], "%t": "0"}}.items():
        place = place.replace(pattern, value)
    command = arguments[arguments.index("--output") + 2 :]
    with open(place, "ab") as log:
        sys.exit(subprocess.run(command, stdout=log, stderr=log).returncode)
elif name == "sacct":
    print("JobID|State|NodeList")
    for state in sorted(home.glob("state-*")):
        print(f"100_{{state.name.split('-')[1]}}|{{state.read_text()}}|here")
elif name == "scontrol":
    assert arguments[0] == "requeue", arguments
    (home / f"requeue-{{arguments[1]}}").touch()
else:
    task(int(arguments[1]))
'''


def install(folder: Path) -> Path:
    """Put the commands into a new folder, which is to be the first of PATH, and return it."""
    folder.mkdir()
    script = folder / "slurm.py"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    for name in ("sbatch", "srun", "sacct", "scontrol"):
        (folder / name).symlink_to(script)
    return folder
