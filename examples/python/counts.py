"""Counts the words of files in one map, by several threads, each of which reads files of its own.

usage: counts.py [--threads N] FILE...
"""

import argparse
import re
import threading

from concmap import Map


def count(paths, counts, lengths, first):
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            for word in re.findall(r"\w+", file.read().lower()):
                counts.upsert(word, 1, lambda count: count + 1)
                lengths.upsert(len(word), 1, lambda count: count + 1)
                first.insert(word, path.encode())


def main():
    parser = argparse.ArgumentParser(description="Counts the words of files.")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    with Map(str, int) as counts, Map(int, int) as lengths, Map(str, bytes) as first:
        threads = [
            threading.Thread(target=count, args=(arguments.files[i :: arguments.threads], counts, lengths, first))
            for i in range(arguments.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        words = sum(number for _, number in counts.items())
        print(f"{words} words, {len(counts)} of them different, of {len(lengths)} lengths")
        for word, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]:
            print(f"{number:8} {word} (one of them in {first[word].decode()})")
        if words != sum(number for _, number in lengths.items()) or len(counts) != len(first):
            raise SystemExit("the maps disagree")


if __name__ == "__main__":
    main()
