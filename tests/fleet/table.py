"""The live view: a table that is redrawn on a terminal, and a line for each change elsewhere."""

import os
import shutil
import sys
import time

COLUMNS = (("HOST", 8), ("CHANNEL", 8), ("VERSION", 8), ("SLOT", 5), ("STATE", 20), ("PROGRESS", 22), ("LOCK", 7))
BAR_WIDTH = 14
TIMELINE_WIDTH = 44
COLOURS = {"REBOOTING": "33", "UPDATED_NEED_REBOOT": "36", "DOWNLOADING": "34", "holds": "32"}


class Table:
    def __init__(self, title):
        self.title = title
        self.started = time.time()
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")
        self.ascii = "utf" not in (sys.stdout.encoding or "").lower()
        self._drawn = 0
        self._last = {}

    def note(self, text):
        """A line that stays: what the demo does next."""
        self._wipe()
        stamp = f"{time.time() - self.started:6.1f} s  "
        print(stamp + text, flush=True)

    def show(self, hosts, holders):
        rows = [self._row(host, holders) for host in hosts]
        if self.live:
            self._redraw(rows)
        else:
            self._changes(rows)

    def bars(self, outages):
        """[(from, to, host)] as lines on one scale: whether two overlap can be seen."""
        first, last = min(begin for begin, _, _ in outages), max(end for _, end, _ in outages)
        full, empty = ("#", ".") if self.ascii else ("█", "░")
        for begin, end, name in outages:
            start, stop = (round((moment - first) / (last - first) * TIMELINE_WIDTH) for moment in (begin, end))
            bar = empty * start + full * max(stop - start, 1) + empty * (TIMELINE_WIDTH - stop)
            yield f"{name:8}{bar}  {begin - self.started:.1f} s to {end - self.started:.1f} s"

    def close(self, hosts, holders):
        """Leaves the last state standing."""
        self.show(hosts, holders)
        self._drawn = 0

    def _row(self, host, holders):
        progress = float(host.report.get("progress", 0)) if host.up else 0
        bar = self._bar(progress) + f" {progress * 100:3.0f} %" if host.state == "DOWNLOADING" else ""
        lock = "holds" if host.id in holders else ""
        return (host.name, host.channel, host.version, host.slot, host.state, bar, lock)

    def _bar(self, fraction):
        filled = round(fraction * BAR_WIDTH)
        return ("#" if self.ascii else "█") * filled + ("." if self.ascii else "░") * (BAR_WIDTH - filled)

    def _paint(self, text, width):
        painted = text.ljust(width)
        colour = COLOURS.get(text)
        return f"\033[{colour}m{painted}\033[0m" if colour and self.colours else painted

    def _wipe(self):
        if self._drawn:
            sys.stdout.write(f"\033[{self._drawn}A\033[J")
            self._drawn = 0

    def _redraw(self, rows):
        width = shutil.get_terminal_size().columns
        self._wipe()
        head = "".join(name.ljust(size) for name, size in COLUMNS)
        print("\n" + head[:width])
        for row in rows:
            cells = (self._paint(text, size) for text, (_, size) in zip(row, COLUMNS))
            print("".join(cells) if self.colours or width > len(head) else "".join(cells)[:width])
        sys.stdout.flush()
        self._drawn = len(rows) + 2

    def _changes(self, rows):
        for row in rows:
            shown = row[:5] + row[6:]
            if self._last.get(row[0]) != shown:
                self._last[row[0]] = shown
                self.note(f"{row[0]:8}{row[1]:8}{row[2]:8} slot {row[3]}  {row[4]:20} {row[6] and 'holds the lock'}".rstrip())
