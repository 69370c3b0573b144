"""A seeded load: requests over a few renders, most of them legal, some on purpose not.

It believes to know where each render is, from what it sent and from the answers. Where several loads race
over the same renders, belief is often wrong, and that is wanted. Every change carries an actor of its own, so
that the auditor can tell for each row of the log which request made it.
"""

import collections
import random as randomness

EVENTS = ("start", "progress", "complete", "fail", "cancel")
LEGAL = {
    "idle": ("start",),
    "queued": ("progress", "progress", "progress", "progress", "fail", "cancel"),
    "rendering": ("progress",) * 8 + ("complete", "complete", "fail", "cancel"),
    "completed": (),
    "failed": ("start",),
}
AFTER = {"start": "queued", "progress": "rendering", "complete": "completed", "fail": "failed", "cancel": "failed"}
TEXTS = (
    "Render failed: out of memory", "no", "Zeitüberschreitung – 渲染失败 🎬", "quote \" and \\ and \t and \u0000 and \u2028",
    "e\u0301 is not \u00e9", "x" * 9_000, "ü" * 5_000,
)


class Belief:
    """Where a render is thought to be."""

    __slots__ = ("state", "version", "attempt", "render_id", "old_render_ids", "keys", "count")

    def __init__(self):
        self.state = "idle"
        self.version = 0
        self.attempt = 0
        self.render_id = None
        self.old_render_ids = []
        self.keys = []
        self.count = 0


class Load:
    """Makes requests, and drives sidecars with them.

    - random: where its choices come from. It takes its own from it, so that several go on beside each other.
    - ids: the renders it is about.
    - name: stands in actors, keys and renderIds, so it is one's own.
    - expecting: how many of the changes carry expectedVersion (sometimes expectedState, expectedAttempt).
    - reading: how many of the requests are reads.
    - illegal: how many of the changes don't look where the render is.
    - leasing: how many of the requests are about leases.
    - keyed: how many of the changes carry an idempotency key.
    - clocks: the greatest timeouts to give to some of the starts, in milliseconds; None for none.
    """

    def __init__(self, random, ids, name, expecting=0.2, reading=0.1, illegal=0.1, keyed=0.3, clocks=None, leasing=0.03):
        self.random = randomness.Random(random.getrandbits(64))
        self.ids = list(ids)
        self.name = name
        self.expecting = expecting
        self.reading = reading
        self.leasing = leasing
        self.illegal = illegal
        self.keyed = keyed
        self.clocks = clocks
        self.beliefs = {id: Belief() for id in self.ids}
        self.count = 0

    def next(self):
        """The next request: (method, params)."""
        random = self.random
        id = random.choice(self.ids)
        if random.random() < self.reading:
            return self._read(id)
        if random.random() < self.leasing:
            return self._lease(id)
        belief = self.beliefs[id]
        legal = LEGAL[belief.state]
        if random.random() < self.illegal or (not legal and random.random() < 0.3):
            event = random.choice(EVENTS + ("regenerate",))
        elif not legal or (belief.state == "failed" and random.random() < 0.3):
            event = "regenerate"
        else:
            event = random.choice(legal)
        return self._change(id, belief, event)

    def _read(self, id):
        choice = self.random.random()
        if choice < 0.7:
            return "getStatus", {"id": id}
        if choice < 0.85:
            return "getStatuses", {"ids": self.random.sample(self.ids, min(len(self.ids), 3)) + [id]}
        if choice < 0.95:
            return "getHistory", {"id": id, "limit": 20, "afterSeq": self.random.randrange(50)}
        return "listStatuses", {"limit": 5}

    def _lease(self, id):
        params = {"name": f"poller of {id}", "holder": self.name}
        if self.random.random() < 0.3:
            return "releaseLease", params
        return "acquireLease", {**params, "ttlMs": self.random.choice((1, 20, 60_000))}

    def _change(self, id, belief, event):
        random = self.random
        self.count += 1
        params = {"id": id, "actor": f"{self.name}.{self.count}"}
        method = "regenerate"
        if event != "regenerate":
            method = "transition"
            params["event"] = event
        context = self._context(id, belief, event)
        if context:
            params["context"] = context
        if random.random() < self.expecting:
            choice = random.random()
            if choice < 0.8:
                params["expectedVersion"] = max(0, belief.version + random.choice((0, 0, 0, 0, 0, 0, -1, 1)))
            elif choice < 0.9:
                params["expectedState"] = belief.state if random.random() < 0.8 else random.choice(list(LEGAL))
            elif event != "regenerate":
                params["expectedAttempt"] = belief.attempt
        if event in ("start", "regenerate") and self.clocks and random.random() < 0.5:
            names = random.sample(["queuedMs", "stallMs", "totalMs"], random.randint(1, 3))
            params["timeouts"] = {name: random.randint(self.clocks // 2 + 1, self.clocks) for name in names}
        repeated = belief.keys and random.random() < 0.15
        if random.random() < self.keyed:
            if repeated:
                # The same again, as a host does that got no answer; or a key that did something else before.
                key, earlier = random.choice(belief.keys)
                params["idempotencyKey"] = key
                if random.random() < 0.9:
                    method = earlier[0]
                    params = {**earlier[1], "actor": params["actor"]}
                return method, params
            params["idempotencyKey"] = f"{self.name}-key-{self.count}"
            belief.keys.append((params["idempotencyKey"], (method, params)))
            del belief.keys[:-8]
        self._believe(belief, event, params)
        return method, params

    def _context(self, id, belief, event):
        random = self.random
        context = {}
        if event == "progress" and random.random() < 0.9:
            context["progress"] = random.choice((random.randint(0, 100), round(random.uniform(0, 100), 3)))
        if event == "complete" and random.random() < 0.8:
            context["videoUrl"] = f"https://cdn.example/{id}/{random.randrange(10**6)}.mp4"
        if event in ("fail", "cancel") and random.random() < 0.7:
            # The long texts seldom: they would fill the database.
            context["error"] = random.choice(TEXTS[:-2]) if random.random() < 0.98 else random.choice(TEXTS[-2:])
        if event != "start" and event != "regenerate" and random.random() < 0.4:
            choice = random.random()
            if choice < 0.1 and belief.old_render_ids:
                context["renderId"] = random.choice(belief.old_render_ids)
            elif belief.render_id is None or choice < 0.15:
                belief.count += 1
                context["renderId"] = f"{self.name}-{id}-{belief.count}"
            else:
                context["renderId"] = belief.render_id
        elif random.random() < 0.2:
            belief.count += 1
            context["renderId"] = f"{self.name}-{id}-{belief.count}"
        if random.random() < 0.1:
            context["bucketName"] = f"bucket-{random.randrange(5)}"
        if random.random() < 0.2:
            names = random.sample("abcdef", random.randint(1, 3))
            values = (None, 1, -0.5, 1e300, "text", "ü\n", True, [1, {"deep": None}], {"x": {"y": []}})
            context["metadata"] = {name: random.choice(values) for name in names}
        return context

    def _believe(self, belief, event, params):
        """Takes it that the change will be accepted, if it looks legal."""
        if event == "regenerate":
            if belief.state in ("queued", "rendering"):
                return
            belief.attempt = 1
        elif event not in LEGAL[belief.state]:
            return
        elif event == "start":
            belief.attempt += 1
        belief.version += 1
        belief.state = AFTER.get(event, "queued")
        named = params.get("context", {}).get("renderId")
        if event in ("start", "regenerate"):
            if belief.render_id is not None:
                belief.old_render_ids = (belief.old_render_ids + [belief.render_id])[-5:]
            belief.render_id = named
        elif named is not None and belief.render_id is None:
            belief.render_id = named

    def learn(self, call):
        """Corrects the belief by an answer. What was sent since is thought of as not sent, and comes right in time."""
        if call.error is not None:
            status = (call.error.get("data") or {}).get("status")
        elif call.method == "getStatus":
            status = call.result
        else:
            return
        if not status or status["id"] not in self.beliefs:
            return
        belief = self.beliefs[status["id"]]
        belief.state = status["state"]
        belief.version = status["version"]
        belief.attempt = status["attempt"]
        belief.render_id = status["renderId"]

    def drive(self, sidecar, count=None, window=64, until=None):
        """Sends requests with up to `window` in flight, until `count` are sent, or `until()` is true, or the sidecar
        is gone. Then waits for what is owed. Returns how many were sent."""
        outstanding = collections.deque()
        sent = 0
        while (count is None or sent < count) and not (until and until()):
            if not sidecar.wait_for_room(window):
                break
            while outstanding and not outstanding[0].in_flight:
                self.learn(outstanding.popleft())
            room = max(1, min(window - sidecar.unanswered, 32))
            if count is not None:
                room = min(room, count - sent)
            outstanding.extend(sidecar.send_all([self.next() for _ in range(room)]))
            sent += room
        sidecar.drain()
        for call in outstanding:
            if not call.in_flight:
                self.learn(call)
        return sent
