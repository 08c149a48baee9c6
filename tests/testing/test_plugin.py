"""The plugin in a test session of its own: fixtures work, and the numbers are reported."""

import textwrap

import fresh_python


def test_the_fixtures_assert_and_report(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["holonet.testing.plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent(
            """
            import torch

            def test_good(assert_holomorphic):
                assert_holomorphic(torch.sin)

            def test_bad(assert_holomorphic):
                assert_holomorphic(torch.conj)

            def test_harmonic(assert_harmonic, assert_pluriharmonic):
                assert_harmonic(lambda z: z.sin().real)
                assert_pluriharmonic(lambda z: z.sin().real)
            """
        )
    )
    options = ("-q", "-p", "no:cacheprovider", str(tmp_path))
    done = fresh_python.run("-m", "pytest", *options, cwd=tmp_path)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "AssertionError: not holomorphic: conj" in done.stdout
    assert "errors measured" in done.stdout
    for name in ("assert_holomorphic", "assert_harmonic", "assert_pluriharmonic"):
        assert f": {name} = " in done.stdout
