import subprocess
import sys

import pytest

from sr_deepfake.super_resolution.edsr import architecture


@pytest.mark.parametrize(
    ("module", "name"), [("edsr_arch", "EDSR"), ("rcan_arch", "RCAN"), ("rrdbnet_arch", "RRDBNet")]
)
def test_networks_of_basicsr_can_be_had(module, name):
    assert architecture(module, name).__name__ == name


def test_it_works_in_a_fresh_process_and_imports_nothing_early():
    code = (
        "import sys; from sr_deepfake.super_resolution.edsr import architecture; "
        "assert 'basicsr' not in sys.modules; "
        "architecture('edsr_arch', 'EDSR'); architecture('edsr_arch', 'EDSR')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
