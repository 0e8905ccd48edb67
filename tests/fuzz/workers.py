"""Processes that run cases, which may crash or hang."""

import multiprocessing
import resource
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.fuzz.cases import make_case
from tests.fuzz.verdict import Verdict, judge

_HUNG_SECONDS = 60


@dataclass
class Result:
    """A case, how it ended, and the megabytes its process has had at most."""

    number: int
    what: str
    verdict: Verdict
    megabytes: int = 0


def run_cases(seed: int, numbers: list[int], processes: int) -> list[Result]:
    """The results, by number."""
    queue: SimpleQueue[int] = SimpleQueue()
    for number in numbers:
        queue.put(number)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ThreadPoolExecutor(processes) as pool:
        drivers = [pool.submit(_drive, seed, Path(folder), queue) for _ in range(processes)]
        return sorted((result for driver in drivers for result in driver.result()), key=lambda result: result.number)


def _work(seed: int, folder: Path, pipe: Connection) -> None:
    while (number := pipe.recv()) is not None:
        place = folder / str(number)
        verdict = judge(make_case(seed, number), place)
        shutil.rmtree(place)
        pipe.send((verdict, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))


def _drive(seed: int, folder: Path, numbers: "SimpleQueue[int]") -> list[Result]:
    """Keeps one process busy; starts another when it is lost."""
    results: list[Result] = []
    while not numbers.empty():
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(seed, folder, theirs))
        process.start()
        theirs.close()
        try:
            while True:
                number = numbers.get_nowait()
                ours.send(number)
                batch = make_case(seed, number)
                result = Result(number, f"{batch.target!a}, {', '.join(batch.done)}", Verdict("hung", 0, ["hung"]))
                results.append(result)
                if not ours.poll(_HUNG_SECONDS):
                    break
                result.verdict, result.megabytes = ours.recv()
        except Empty:
            ours.send(None)
            process.join()
        except (EOFError, ConnectionResetError):
            process.join()
            result.verdict = Verdict("crashed", 0, [f"the process ended with {process.exitcode}"])
        finally:
            process.kill()
    return results
