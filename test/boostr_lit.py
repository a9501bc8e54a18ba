"""The test format: shell tests by their RUN lines, Python tests by pytest.

Lives in a module of its own because lit's workers import it.
"""

import os
import re
import subprocess

import lit.Test
import lit.formats


class BoostrTest(lit.formats.ShTest):
    """RUN lines of `.mlir` and `.test` files; `test_*.py` files whole.

    A file of pytest tests is one lit test. It is unsupported if all that it has
    was skipped, so that a missing feature shows in the totals.
    """

    # Directories whose .mlir files may be inputs of the Python tests beside them.
    PYTHON_DIRECTORIES = {"execution", "python"}

    def getTestsForPath(self, suite, path_in_suite, lit_config, local_config):
        name = path_in_suite[-1]
        is_python_directory = path_in_suite[0] in self.PYTHON_DIRECTORIES
        if name.endswith(".py"):
            if is_python_directory and name.startswith("test_"):
                yield lit.Test.Test(suite, path_in_suite, local_config)
            return
        source = suite.getSourcePath(path_in_suite)
        if is_python_directory and os.path.isfile(source):
            with open(source, encoding="utf-8", errors="replace") as file:
                if "RUN:" not in file.read():
                    return
        yield from super().getTestsForPath(suite, path_in_suite, lit_config, local_config)

    def execute(self, test, lit_config):
        if test.path_in_suite[-1].endswith(".py"):
            return self.run_pytest(test, lit_config)
        return super().execute(test, lit_config)

    @staticmethod
    def run_pytest(test, lit_config):
        config = test.config
        command = [*config.python_command, "-m", "pytest", "-q", "-rs", "--tb=short"]
        command += ["-p", "no:cacheprovider", test.getSourcePath()]
        if lit_config.noExecute:
            return lit.Test.PASS, ""
        try:
            run = subprocess.run(
                command, env=config.environment, cwd=os.path.dirname(test.getSourcePath()),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                timeout=lit_config.maxIndividualTestTime or None)
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b""
            return lit.Test.TIMEOUT, output.decode(errors="replace")
        lines = run.stdout.strip().splitlines() or [""]
        if run.returncode == 0 and not re.search(r"\d+ passed", lines[-1]):
            reasons = [line for line in lines if line.startswith("SKIPPED")]
            return lit.Test.UNSUPPORTED, "\n".join(reasons) or run.stdout
        # pytest exits with 5 if there was no test, which is a failure too.
        code = lit.Test.PASS if run.returncode == 0 else lit.Test.FAIL
        return code, f"$ {' '.join(command)}\n{run.stdout}"
