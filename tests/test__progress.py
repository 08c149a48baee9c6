"""What a file, and what nobody, gets to see of a bar."""

import pytest
from rich.progress import MofNCompleteColumn

from holonet import _progress
from holonet._progress import progress_bar


def test_a_file_has_a_line_from_the_beginning_and_now_and_then(monkeypatch, capsys) -> None:
    clock = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with progress_bar(True, MofNCompleteColumn()) as bar:
        task = bar.add_task("cells", total=100)
        for number in range(100):
            bar.update(task, description=f"cell {number}", completed=number)
            if number == 0:
                assert "cell 0" in capsys.readouterr().err
            clock[0] += 1
        assert capsys.readouterr().err.count("cell ") == 9
        bar.advance(task)
        assert "100/100" not in capsys.readouterr().out


@pytest.mark.parametrize("shown", [True, False])
def test_nothing_is_written_unless_it_is_shown(shown: bool, capsys) -> None:
    with progress_bar(shown) as bar:
        bar.update(bar.add_task("work", total=1), completed=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("work" in captured.err) == shown
