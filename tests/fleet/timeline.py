"""What happened when: the events that the machine stand-ins append, and the proof drawn from them."""

import json


class Timeline:
    def __init__(self, path):
        self.path = path
        self.events = []
        self._offset = 0
        with open(path, "w", encoding="ascii"):
            pass

    def read_new(self):
        """The events that came since the last call."""
        with open(self.path, encoding="ascii") as file:
            file.seek(self._offset)
            lines = file.readlines()
            if lines and not lines[-1].endswith("\n"):
                lines.pop()
            self._offset += sum(len(line) for line in lines)
        new = [json.loads(line) for line in lines]
        self.events += new
        return new

    def add(self, time, host, event, **details):
        self.events.append({"time": time, "host": host, "event": event, **details})

    def outages(self):
        """[(from, to, host)] of every time that a host was down between two boots."""
        down, outages = {}, []
        for event in sorted(self.events, key=lambda event: event["time"]):
            if event["event"] == "down":
                down[event["host"]] = event["time"]
            elif event["event"] == "up" and event["host"] in down:
                outages.append((down.pop(event["host"]), event["time"], event["host"]))
        return outages

    def most_down_at_once(self):
        edges = sorted((time, step) for begin, end, _ in self.outages() for time, step in ((begin, 1), (end, -1)))
        most = now = 0
        for _, step in edges:
            now += step
            most = max(most, now)
        return most
