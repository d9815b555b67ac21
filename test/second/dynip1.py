#!/usr/bin/env python3
"""A second, independent implementation of the dynip/1 protocol, for checking the first one.

    python3 dynip1.py vectors FILE        check every entry of the test vectors
    python3 dynip1.py ping --port P ...   a client: one ping, until it is acknowledged
    python3 dynip1.py find --port P ...   a client: one question, until it is answered
    python3 dynip1.py serve --secret S    a server that keeps its records in memory

Written from the protocol's description alone, with Python's standard library (3.8 or newer).
"""
import argparse
import base64
import hashlib
import hmac
import ipaddress
import json
import os
import re
import secrets
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from typing import NamedTuple

NO_COOKIE = "0" * 32
MAC_DIGITS = 32
MAX_COUNTER = 2**64 - 1
WINDOW = 300 * 1_000_000  # microseconds that a counter may be away from the server's clock
STEP = 32  # that a counter may be above the last, whatever the clock
EPOCH = 30  # seconds
CHALLENGES_PER_SECOND = 3  # for each name and nonce, by the server; likewise replies to questions
MAX_CHALLENGES = 3  # the client gives up when it receives this many
SCHEDULE = (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 39.5)  # seconds; at the last one it gives up
BATCH = 100  # datagrams that the server commits together, at most
IDLE = 60  # seconds without a datagram after which the server ends
EXIT_UNACKNOWLEDGED = 6
EXIT_UNKNOWN = 7
QUESTION_BYTES = 352
LONGEST_AGE = 2**32 - 1
NOWHERE = "0" * 32

NAME = "[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?"
FIELDS = "([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{32})"
PING = re.compile(f"dynip/1 P {FIELDS} ({NAME}) [0-9a-f]{{32}}".encode())
REPLY = re.compile(f"dynip/1 ([AC]) {FIELDS} [0-9a-f]{{32}}".encode())
QUESTION = re.compile(
    f"dynip/1 Q ([0-9a-f]{{16}}) ([0-9a-f]{{32}}) ({NAME}) ({NAME}) 0+ [0-9a-f]{{32}}".encode())
PLACE = "([0-9a-f]{32}) ([0-9a-f]{8}) ([0-9a-f]{8})"
ANSWER = re.compile(f"dynip/1 R ([0-9a-f]{{16}}) ([01]) {PLACE} {PLACE} [0-9a-f]{{32}}".encode())


class Rejected(Exception):
    """A datagram that is dropped; the text is the reason."""


class Ping(NamedTuple):
    """A signed ping; the nonce and the cookie are hexadecimal text."""
    name: str
    counter: int
    nonce: str
    cookie: str = NO_COOKIE


class Reply(NamedTuple):
    """An acknowledgement (A) or a challenge (C); the payload is the address or the cookie."""
    kind: str
    counter: int
    nonce: str
    payload: str


class Question(NamedTuple):
    """Where is name? The nonce and the cookie are hexadecimal text."""
    asker: str
    name: str
    nonce: str
    cookie: str = NO_COOKIE


class Place(NamedTuple):
    """Where a host is: an IP address, how many seconds ago it was seen, and first seen there."""
    address: object
    seen: int
    there: int


class Answer(NamedTuple):
    """An answer (R): whether signed pings say so, and a place or None for each IP version."""
    nonce: str
    signed: bool
    ipv4: Place = None
    ipv6: Place = None


# Keys, addresses and datagrams

def derive_key(secret, name, generation=1):
    """K_name: the key of one name, derived from the shared secret."""
    return hmac.new(secret, f"dynip/1 key\n{generation}\n{name}".encode(), hashlib.sha256).digest()


def short_hmac(key, data):
    """The first 16 bytes of an HMAC-SHA256, as hexadecimal text."""
    return hmac.new(key, data, hashlib.sha256).digest()[:16].hex()


def canonical(address):
    """An address without its zone; an IPv4-mapped IPv6 address becomes the IPv4 address."""
    ip = ipaddress.ip_address(address.split("%")[0] if isinstance(address, str) else address)
    return getattr(ip, "ipv4_mapped", None) or ip


def address_hex(ip):
    """An address as 16 bytes in hexadecimal, IPv4 as ::ffff:a.b.c.d."""
    return (bytes(10) + b"\xff\xff" + ip.packed if ip.version == 4 else ip.packed).hex()


def sign(text, key):
    """A whole datagram: the text, then its MAC."""
    return text.encode("ascii") + short_hmac(key, text.encode("ascii")).encode("ascii")


def build_ping(ping, key):
    return sign(f"dynip/1 P {ping.counter:016x} {ping.nonce} {ping.cookie} {ping.name} ", key)


def build_reply(reply, key):
    return sign(f"dynip/1 {reply.kind} {reply.counter:016x} {reply.nonce} {reply.payload} ", key)


def build_question(question, key):
    """The names and their padding take 260 bytes, whatever the names."""
    names = f"{question.asker} {question.name} "
    padding = "0" * (259 - len(names))
    return sign(f"dynip/1 Q {question.nonce} {question.cookie} {names}{padding} ", key)


def build_answer(answer, key):
    places = " ".join(build_place(place) for place in (answer.ipv4, answer.ipv6))
    return sign(f"dynip/1 R {answer.nonce} {int(answer.signed)} {places} ", key)


def build_place(place):
    if place is None:
        return f"{NOWHERE} {0:08x} {0:08x}"
    seen, there = (min(max(0, age), LONGEST_AGE) for age in (place.seen, place.there))
    return f"{address_hex(place.address)} {seen:08x} {there:08x}"


def check_mac(datagram, key):
    """Raises Rejected unless the datagram's last 32 digits are its MAC by this key."""
    expected = short_hmac(key, datagram[:-MAC_DIGITS]).encode("ascii")
    if not hmac.compare_digest(expected, datagram[-MAC_DIGITS:]):
        raise Rejected("mac")


def parse_ping(datagram):
    """The fields of a ping or a question. The caller, who then knows the name, checks the MAC."""
    if not datagram.startswith(b"dynip/"):
        raise Rejected("plain")
    if not datagram.startswith(b"dynip/1 "):
        raise Rejected("version")
    if datagram[8:10] == b"Q ":
        return parse_question(datagram)
    if datagram[8:10] != b"P ":
        raise Rejected("type")
    match = PING.fullmatch(datagram)
    if not match:
        raise Rejected("format")
    counter, nonce, cookie, name = (field.decode("ascii") for field in match.groups())
    return Ping(name, int(counter, 16), nonce, cookie)


def parse_question(datagram):
    match = QUESTION.fullmatch(datagram)
    if not match or len(datagram) != QUESTION_BYTES:
        raise Rejected("format")
    nonce, cookie, asker, name = (field.decode("ascii") for field in match.groups())
    return Question(asker, name, nonce, cookie)


def parse_answer(datagram, key):
    """The fields of an answer whose MAC is right."""
    match = ANSWER.fullmatch(datagram)
    if not match:
        raise Rejected("format")
    check_mac(datagram, key)
    nonce, flag, *places = (field.decode("ascii") for field in match.groups())
    return Answer(nonce, flag == "1", parse_place(4, *places[:3]), parse_place(6, *places[3:]))


def parse_place(version, address, seen, there):
    if address == NOWHERE:
        return None
    ip = canonical(bytes.fromhex(address))
    if ip.version != version:
        raise Rejected("family")
    return Place(ip, int(seen, 16), int(there, 16))


def parse_reply(datagram, key):
    """The fields of a reply whose MAC is right."""
    match = REPLY.fullmatch(datagram)
    if not match:
        raise Rejected("format")
    check_mac(datagram, key)
    kind, counter, nonce, payload = (field.decode("ascii") for field in match.groups())
    return Reply(kind, int(counter, 16), nonce, payload)


# The client

class Client:
    """Pings under one name until the ping is acknowledged or the schedule is over."""

    def __init__(self, sock, name, key, clock):
        self.sock, self.name, self.key, self.clock = sock, name, key, clock
        self.previous = -1  # the counter sent last
        self.cookie = NO_COOKIE
        self.challenges = self.datagrams = 0
        self.sent = set()  # every nonce: an acknowledgement of any of them is good
        self.current = set()  # the nonces of this schedule: only these may still be challenged

    def run(self, timeout):
        """The acknowledgement, or None."""
        deadline = time.monotonic() + timeout
        reply = self.exchange(deadline)
        while reply and reply.kind == "C":
            self.challenges += 1
            if self.challenges == MAX_CHALLENGES:
                return None
            self.cookie = reply.payload
            reply = self.exchange(deadline, reply.counter)
        return reply

    def exchange(self, deadline, counter=None):
        """Runs the schedule once; the first good reply, or None when the time is over.

        While it answers a challenge the counter follows the server's, and the client's own clock
        is left out: a clock in the future would make every retransmission a new challenge.
        """
        self.current = set()
        start = time.monotonic()
        for until in SCHEDULE[1:]:
            if counter is None:
                clock = self.clock() if self.cookie == NO_COOKIE else 0
                counter = min(max(clock, self.previous + 1), MAX_COUNTER)
            self.send(counter)
            counter = None
            reply = self.receive(min(start + until, deadline))
            if reply or time.monotonic() >= deadline:
                return reply
        return None

    def send(self, counter):
        """Sends one datagram with a new nonce."""
        nonce = secrets.token_hex(8)
        self.previous = counter
        self.sent.add(nonce)
        self.current.add(nonce)
        self.datagrams += 1
        datagram = build_ping(Ping(self.name, counter, nonce, self.cookie), self.key)
        for _ in range(2):  # an ICMP error of an earlier datagram can stop this one: once more
            try:
                self.sock.send(datagram)
                return
            except OSError:
                pass

    def receive(self, until):
        """The first good reply before that time; everything else is ignored."""
        while True:
            wait = until - time.monotonic()
            if wait <= 0:
                return None
            if not select.select([self.sock], [], [], wait)[0]:
                continue
            try:
                reply = parse_reply(self.sock.recv(2048), self.key)
            except (OSError, Rejected):
                continue
            if reply.nonce in (self.sent if reply.kind == "A" else self.current):
                return reply


class Finder:
    """Asks for a name until there is an answer or the schedule is over."""

    def __init__(self, sock, asker, name, key):
        self.sock, self.asker, self.name, self.key = sock, asker, name, key
        self.cookie = NO_COOKIE
        self.challenges = self.datagrams = 0
        self.sent = set()

    def run(self, timeout):
        """The answer, or None."""
        deadline = time.monotonic() + timeout
        message = self.exchange(deadline)
        while isinstance(message, Reply):
            self.challenges += 1
            if self.challenges == MAX_CHALLENGES:
                return None
            self.cookie = message.payload
            message = self.exchange(deadline)
        return message

    def exchange(self, deadline):
        """Runs the schedule once; the first good message, or None when the time is over."""
        start, current = time.monotonic(), set()
        for until in SCHEDULE[1:]:
            nonce = secrets.token_hex(8)
            self.sent.add(nonce)
            current.add(nonce)
            self.datagrams += 1
            question = Question(self.asker, self.name, nonce, self.cookie)
            try:
                self.sock.send(build_question(question, self.key))
            except OSError:
                pass
            message = self.receive(current, min(start + until, deadline))
            if message or time.monotonic() >= deadline:
                return message
        return None

    def receive(self, current, until):
        while True:
            wait = until - time.monotonic()
            if wait <= 0:
                return None
            if not select.select([self.sock], [], [], wait)[0]:
                continue
            try:
                datagram = self.sock.recv(2048)
                if datagram[8:10] == b"R ":
                    answer = parse_answer(datagram, self.key)
                    if answer.nonce in self.sent:
                        return answer
                    continue
                reply = parse_reply(datagram, self.key)
            except (OSError, Rejected):
                continue
            if reply.kind == "C" and reply.nonce in current:
                return reply


# The server

class Host(NamedTuple):
    """What is stored for a name: its counter, and where and when it was seen in each family."""
    last: int = 0
    recorded: dict = {}  # the address by IP version
    seen: dict = {}  # microseconds by IP version
    since: dict = {}  # likewise, of the first time at the address


class Server:
    """Decides about datagrams, and keeps what it accepted in memory.

    It commits in groups, as a server with a disk does: accepted pings wait for `commit`, and are
    answered after it. Those that come in between are judged by what waits.
    """

    def __init__(self, secret, generations, clock, readers=()):
        self.secret, self.generations, self.clock = secret, generations, clock
        self.readers = readers
        self.cookie_secret = secrets.token_bytes(32)
        self.hosts = {}  # by name
        self.durable = {}  # the same as of the last commit: questions are answered from it
        self.waiting = {}  # what `commit` will answer: (where, key, ping) by (name, counter, address)
        self.second, self.challenged = 0, Counter()  # challenges by name and nonce in this second

    def handle(self, datagram, ip, where, answerable=True):
        """The challenge as bytes, or None, and the event to print.

        `where` is what `commit` returns with the acknowledgement of an accepted ping.
        """
        event = {"event": "dropped", "name": None, "address": str(ip), "counter": None}
        try:
            ping = parse_ping(datagram)
            if isinstance(ping, Question):
                return self.handle_question(ping, datagram, ip, answerable, event)
            event.update(name=ping.name, counter=f"{ping.counter:016x}")
            key = derive_key(self.secret, ping.name, self.generations.get(ping.name, 1))
            check_mac(datagram, key)
            if not answerable:
                raise Rejected("source")
            waits = self.waiting.get((ping.name, ping.counter, ip))
            if waits:
                waits.append((where, key, ping))
                return None, dict(event, event="copy", reason="waiting")
            reason = self.accept(ping, ip)
            if reason:
                self.waiting[ping.name, ping.counter, ip] = [(where, key, ping)]
                return None, dict(event, event="accepted", reason=reason)
            reply = self.challenge(ping, ip)
        except Rejected as rejected:
            return None, dict(event, reason=str(rejected))
        return build_reply(reply, key), dict(event, event="challenged", reason="rule")

    def handle_question(self, question, datagram, ip, answerable, event):
        """The answer or the challenge to a question; see handle."""
        asker = question.asker
        event.update(name=asker)
        key = derive_key(self.secret, asker, self.generations.get(asker, 1))
        check_mac(datagram, key)
        if not answerable:
            raise Rejected("source")
        self.limit(asker, question.nonce)
        good = self.cookies(ip, asker, "question")
        if not any(hmac.compare_digest(one, question.cookie) for one in good):
            reply = Reply("C", 0, question.nonce, good[0])
            return build_reply(reply, key), dict(event, event="challenged", reason="question")
        may = asker == question.name or asker in self.readers
        host = self.durable.get(question.name) if may else None
        answer = Answer(question.nonce, host is not None,
                        *(self.place(host, version) for version in (4, 6)))
        return build_answer(answer, key), dict(event, event="answered", reason=question.name)

    def place(self, host, version):
        """Where a host is by its record, with ages by the clock of now."""
        if host is None or version not in host.recorded:
            return None
        seen, there = ((self.clock() - times[version]) // 1_000_000
                       for times in (host.seen, host.since))
        return Place(host.recorded[version], seen, there)

    def accept(self, ping, ip):
        """Stores a ping that one of the rules accepts; the rule, or None."""
        host, now = self.hosts.get(ping.name, Host()), self.clock()
        rule = None
        if (host.recorded.get(ip.version) == ip and ping.counter > host.last
                and abs(ping.counter - now) <= WINDOW):
            rule = "address"
        elif (self.is_good(ping.cookie, ip, ping.name)
                and host.last < ping.counter <= max(host.last + STEP, now + WINDOW)):
            rule = "cookie"
        if rule:
            same = host.recorded.get(ip.version) == ip
            since = host.since if same else {**host.since, ip.version: now}
            self.hosts[ping.name] = Host(ping.counter, {**host.recorded, ip.version: ip},
                                         {**host.seen, ip.version: now}, since)
        return rule

    def challenge(self, ping, ip):
        """The challenge to a ping, unless its nonce has had too many in this second."""
        self.limit(ping.name, ping.nonce)
        counter = max(self.hosts.get(ping.name, Host()).last + 1, self.clock())
        return Reply("C", min(counter, MAX_COUNTER), ping.nonce, self.cookies(ip, ping.name)[0])

    def limit(self, name, nonce):
        """Raises Rejected when this name and nonce have had too many replies in this second."""
        second = int(time.monotonic())
        if second != self.second:
            self.second, self.challenged = second, Counter()
        self.challenged[name, nonce] += 1
        if self.challenged[name, nonce] > CHALLENGES_PER_SECOND:
            raise Rejected("challenge limit")

    def cookies(self, ip, name, purpose="ping"):
        """The cookies of this epoch and of the one before."""
        host = self.hosts.get(name, Host()) if purpose == "ping" else Host()
        seen = host.seen.get(ip.version, 0)
        epoch = int(time.monotonic() // EPOCH)
        return [short_hmac(self.cookie_secret, f"{purpose} {ip} {name} {seen} {one}".encode())
                for one in (epoch, epoch - 1)]

    def is_good(self, cookie, ip, name):
        return any(hmac.compare_digest(good, cookie) for good in self.cookies(ip, name))

    def commit(self):
        """Ends the batch: (where, acknowledgement) for each of its pings, copies included."""
        answers = [(where, build_reply(Reply("A", self.hosts[name].last, ping.nonce,
                                             address_hex(ip)), key))
                   for (name, _, ip), waits in self.waiting.items() for where, key, ping in waits]
        self.waiting = {}
        self.durable = dict(self.hosts)
        return answers


# The commands

def print_json(value):
    print(json.dumps(value), flush=True)


def vectors_command(arguments):
    """Builds and parses every entry of the file; ends at the first one that differs."""
    with open(arguments.file, encoding="utf-8") as file:
        vectors = json.load(file)
    secret = bytes.fromhex(vectors["secret"])

    def check_key(entry):
        return derive_key(secret, entry["name"], entry["generation"]).hex() == entry["key"]

    def check_ping(entry):
        ping = Ping(entry["name"], int(entry["counter"], 16), entry["nonce"], entry["cookie"])
        key, datagram = derive_key(secret, ping.name), entry["datagram"].encode()
        check_mac(datagram, key)
        return build_ping(ping, key) == datagram and parse_ping(datagram) == ping

    def check_reply(entry):
        address = entry.get("address")
        payload = address_hex(canonical(address)) if entry["type"] == "A" else entry["cookie"]
        reply = Reply(entry["type"], int(entry["counter"], 16), entry["nonce"], payload)
        key, datagram = derive_key(secret, "nas"), entry["datagram"].encode()
        return (build_reply(reply, key) == datagram and parse_reply(datagram, key) == reply
                and address in (None, str(canonical(bytes.fromhex(payload)))))

    def check_rejected(entry):
        datagram = entry["datagram"].encode()
        try:
            check_mac(datagram, derive_key(secret, parse_ping(datagram).name))
        except Rejected:
            return True
        return False

    def check_question(entry):
        question = Question(entry["asker"], entry["name"], entry["nonce"], entry["cookie"])
        key, datagram = derive_key(secret, question.asker), entry["datagram"].encode()
        check_mac(datagram, key)
        return build_question(question, key) == datagram and parse_ping(datagram) == question

    def check_answer(entry):
        places = [place and Place(canonical(place["address"]), place["seen"], place["there"])
                  for place in (entry["ipv4"], entry["ipv6"])]
        answer = Answer(entry["nonce"], entry["signed"], *places)
        key, datagram = derive_key(secret, entry["asker"]), entry["datagram"].encode()
        parsed = parse_answer(datagram, key)
        fits = [place and place._replace(seen=min(place.seen, LONGEST_AGE),
                                         there=min(place.there, LONGEST_AGE)) for place in places]
        return (build_answer(answer, key) == build_answer(parsed, key) == datagram
                and parsed == Answer(entry["nonce"], entry["signed"], *fits))

    def check_rejected_question(entry):
        datagram = entry["datagram"].encode()
        generation = 2 if "where phone is at 2" in entry["why"] else 1
        try:
            question = parse_question(datagram)
            check_mac(datagram, derive_key(secret, question.asker, generation))
        except Rejected:
            return True
        return False

    def check_rejected_answer(entry):
        try:
            answer = parse_answer(entry["datagram"].encode(), derive_key(secret, "phone"))
        except Rejected:
            return True
        return answer.nonce != vectors["questions"][0]["nonce"]

    checks = {"keys": check_key, "pings": check_ping, "replies": check_reply,
              "rejected": check_rejected, "questions": check_question, "answers": check_answer,
              "rejectedQuestions": check_rejected_question,
              "rejectedAnswers": check_rejected_answer}
    for section, check in checks.items():
        for number, entry in enumerate(vectors[section]):
            try:
                right = check(entry)
            except Rejected:
                right = False
            if not right:
                print(f"mismatch: {section}[{number}], {entry.get('why', entry.get('name'))}")
                return 1
    print("ok: " + ", ".join(f"{len(vectors[section])} {section}" for section in checks))
    return 0


def connected(arguments):
    """A socket for one server."""
    family, kind, proto, _, address = socket.getaddrinfo(
        arguments.host, arguments.port, type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, kind, proto)
    sock.connect(address)
    return sock


def find_command(arguments):
    """Asks once and prints the answer."""
    asker = (arguments.key and arguments.name) or arguments.find
    key = arguments.key or derive_key(arguments.secret, asker)
    with connected(arguments) as sock:
        finder = Finder(sock, asker, arguments.find, key)
        answer = finder.run(arguments.timeout)
    places = [answer and place and dict(place._asdict(), address=str(place.address))
              for place in (answer or [None] * 4)[2:]]
    print_json({
        "answered": answer is not None,
        "signed": answer is not None and answer.signed,
        "ipv4": places[0],
        "ipv6": places[1],
        "challenges": finder.challenges,
        "datagrams": finder.datagrams,
    })
    if answer is None:
        return EXIT_UNACKNOWLEDGED
    return 0 if any(places) else EXIT_UNKNOWN


def ping_command(arguments):
    """Pings once and prints the result."""
    key = arguments.key or derive_key(arguments.secret, arguments.name)
    with connected(arguments) as sock:
        client = Client(sock, arguments.name, key, clock_from(arguments.clock))
        reply = client.run(arguments.timeout)
    print_json({
        "acknowledged": reply is not None,
        "address": str(canonical(bytes.fromhex(reply.payload))) if reply else None,
        "counter": f"{reply.counter if reply else client.previous:016x}",
        "challenges": client.challenges,
        "datagrams": client.datagrams,
    })
    return 0 if reply else EXIT_UNACKNOWLEDGED


def serve_command(arguments):
    """Serves until standard input ends, SIGTERM comes or no datagram has come for a minute."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())

    def watch_input():
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        ended.set()

    threading.Thread(target=watch_input, daemon=True).start()
    server = Server(arguments.secret, dict(arguments.generation), clock_from(arguments.clock),
                    arguments.reader)
    family, kind, proto, _, address = socket.getaddrinfo(
        arguments.host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, kind, proto) as sock:
        sock.bind(address)
        own = sock.getsockname()[:2]
        print_json({"port": own[1]})
        heard = time.monotonic()
        while not ended.is_set() and time.monotonic() - heard < IDLE:
            if not select.select([sock], [], [], 0.1)[0]:
                continue
            heard = time.monotonic()
            for _ in range(BATCH):  # what has come by now is one batch
                if not select.select([sock], [], [], 0)[0]:
                    break
                try:
                    datagram, source = sock.recvfrom(65536)
                except OSError:  # on some systems, an ICMP error about an earlier reply
                    continue
                ip = canonical(source[0])
                answerable = not (source[1] == 0 or source[:2] == own or ip.is_multicast
                                  or ip.is_unspecified or str(ip) == "255.255.255.255")
                challenge, event = server.handle(datagram, ip, source, answerable)
                if challenge:
                    send_to(sock, challenge, source)
                print_json(event)
            for source, acknowledgement in server.commit():
                send_to(sock, acknowledgement, source)
    return 0


def send_to(sock, reply, source):
    try:
        sock.sendto(reply, source)
    except OSError:  # the client repeats itself
        pass


# The command line

def clock_from(fixed):
    """A clock in microseconds since 1970: the real one, unless a fixed one is wanted."""
    return (lambda: time.time_ns() // 1000) if fixed is None else (lambda: fixed)


def argument(pattern, meaning, convert):
    """A type for argparse: text of this pattern, converted."""
    def read(text):
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError("must be " + meaning)
        return convert(text)
    return read


KEY = argument("[A-Za-z0-9_-]{43}=?", "32 bytes in base64url",
               lambda text: base64.urlsafe_b64decode(text[:43] + "="))
HOST_NAME = argument(NAME.replace("a-z", "A-Za-z"), "a name that can be signed", str.lower)
GENERATION = argument(f"{NAME}=[1-9][0-9]{{0,14}}", "NAME=NUMBER",
                      lambda text: (text.split("=")[0], int(text.split("=")[1])))
CLOCK = argument("[0-9]{1,20}", "microseconds since 1970",
                 lambda text: min(int(text), MAX_COUNTER))


def main(words):
    """Reads the command line and runs the command; the exit status."""
    joined = []
    for word in words:  # base64url may begin with a hyphen, which argparse takes for an option
        if joined and joined[-1] in ("--secret", "--key"):
            joined[-1] += "=" + word
        else:
            joined.append(word)
    parser = argparse.ArgumentParser(description="A second implementation of dynip/1.")
    commands = parser.add_subparsers(required=True, metavar="vectors|ping|find|serve")
    vectors = commands.add_parser("vectors")
    vectors.set_defaults(run=vectors_command)
    vectors.add_argument("file")
    ping = commands.add_parser("ping")
    ping.set_defaults(run=ping_command)
    find = commands.add_parser("find")
    find.set_defaults(run=find_command)
    find.add_argument("--find", type=HOST_NAME, required=True, help="the name asked for")
    for command in (ping, find):
        command.add_argument("--port", type=int, required=True)
        command.add_argument("--name", type=HOST_NAME, required=command is ping,
                             help="who pings; who asks, with its own key")
        command.add_argument("--timeout", type=float, default=float("inf"), metavar="SECONDS")
        either = command.add_mutually_exclusive_group(required=True)
        either.add_argument("--secret", type=KEY, help="the shared secret")
        either.add_argument("--key", type=KEY, help="the name's own key")
    serve = commands.add_parser("serve")
    serve.set_defaults(run=serve_command)
    serve.add_argument("--secret", type=KEY, required=True)
    serve.add_argument("--generation", type=GENERATION, action="append", default=[],
                       metavar="NAME=NUMBER")
    serve.add_argument("--reader", type=HOST_NAME, action="append", default=[],
                       help="a name that may ask about every other")
    for command in (ping, find, serve):
        command.add_argument("--host", default="127.0.0.1")
        command.add_argument("--clock", type=CLOCK, metavar="MICROSECONDS")
    arguments = parser.parse_args(joined)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
