"""Shows maps, sets and caches of concmap in gdb: their keys and values, however their tables lie, amid growth, too.

    (gdb) source /usr/local/share/concmap/gdb/concmap.py
    (gdb) print ages
    $1 = ages of 2 entries = {["ada"] = 36, ["bob"] = 37}

A map is a struct whose member `core` is a struct cm_map_; the types of its keys and values are found by name, as
NAME_key_ and NAME_value_, which are in the debug information of each program that puts something into the map. Nothing
is called in the program, so core files will do. A dynamic map (cm_any, cm_any_anchored) has its type in itself: integers
are shown as numbers, texts as texts, and everything else as bytes. `set print elements` limits what is shown; a bucket that a stopped
thread is changing may show what is neither before nor after.

The layout is that of include/concmap/detail/: layout.h, table.h, cell.h, per_thread.h, map.h, locked.h."""

import struct

import gdb
import gdb.printing

# cell.h
MOVED = 1 << 1
CHAINED = 1 << 3
OCCUPIED_SHIFT = 4
# table.h, layout.h, match.h
TABLE_HEADER = 512
NODE_SLOTS = 6
MOST_SLOTS = 8
ADDRESS_MASK = (1 << 48) - 1
# locked.h
LOCKED_SIZE = 24  # of struct cm_locked_
# per_thread.h, platform.h
FIRST_THREADS = 8
APART = 128

CHUNK = 1 << 16  # bytes of buckets that are read at once


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def read_words(address, count):
    return struct.unpack("=%dQ" % count, read(address, 8 * count))


def align_up(size, alignment):
    return (size + alignment - 1) & ~(alignment - 1)


def tag_of(type_):
    return type_.strip_typedefs().unqualified().tag


def value_at(address, type_):
    return gdb.Value(address).cast(type_.pointer()).dereference()


class Layout:
    """Where keys and values lie."""

    def entry(self, bucket, slot):
        if self.nodes:
            node = read_words(bucket + 8 + 8 * slot, 1)[0] & ADDRESS_MASK
            if not node:  # of an anchored map: it is being added or removed, (A2) of anchored.h
                return None
            key, value = node + self.node_key, node + self.node_value
        else:
            key = bucket + self.keys + slot * self.key.sizeof
            value = bucket + self.values + slot * self.value_size
        return value_at(key, self.key), value_at(value, self.value)


class TypedLayout(Layout):
    """As cm_layout_of_() of layout.h has it, told what only the map knows of its type."""

    def __init__(self, key, value, core):
        self.key, self.value = key, value
        self.value_size = 0 if tag_of(value) == "cm_nothing" else value.sizeof
        self.nodes = int(core["pool"]["node_size"]) != 0
        self.node_key = int(core["pool"]["key"])
        cell = int(core["pool"]["cell"])  # of a locked map: the entry's lock, in front of the value
        self.node_value = align_up(cell + LOCKED_SIZE if cell else self.node_key + key.sizeof, value.alignof)
        self.bucket = 64 if self.nodes or self.slots_of(64) > 4 else 128 if self.slots_of(128) > 0 else 256
        self.slots = NODE_SLOTS if self.nodes else self.slots_of(self.bucket)
        self.keys = align_up(8, key.alignof)
        self.values = align_up(self.keys + self.slots * key.sizeof, value.alignof)

    def fits(self, size, slots):
        values = align_up(align_up(8, self.key.alignof) + slots * self.key.sizeof, self.value.alignof)
        return values + slots * self.value_size + 8 <= size

    def slots_of(self, size):
        return next((slots for slots in range(MOST_SLOTS, 2, -1) if self.fits(size, slots)), 0)


class DynamicLayout(Layout):
    """As the map itself has it."""

    def __init__(self, map_):
        type_, layout = map_["type"], map_["layout"]
        self.value_size = int(type_["value_size"])
        self.key = shown_type("cm_str" if type_["key_text"] else None, int(type_["key_size"]))
        owned_text = "text_clone" in str(type_["value_clone"])  # cm_any_type_text_values()
        self.value = shown_type("cm_str" if owned_text else None, self.value_size)
        self.nodes = bool(layout["nodes"])
        for name in ("bucket", "slots", "keys", "values", "node_key", "node_value"):
            setattr(self, name, int(layout[name]))


def shown_type(name, size):
    """What bytes are shown as, where nobody knows what they are."""
    if name:
        return gdb.lookup_type(name)
    numbers = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long"}
    byte = gdb.lookup_type("unsigned char")
    return gdb.lookup_type(numbers[size]) if size in numbers else byte.array(max(size, 1) - 1)


class Table:
    """One table of a map: its states are read many at a time."""

    def __init__(self, address, layout):
        self.address, self.layout = address, layout
        self.mask, self.next = read_words(address, 2)
        self.chunk, self.first = b"", 0

    def bucket(self, index):
        return self.address + TABLE_HEADER + (index & self.mask) * self.layout.bucket

    def state(self, index):
        index &= self.mask
        size = self.layout.bucket
        offset = (index - self.first) * size
        if not 0 <= offset < len(self.chunk):
            count = min(CHUNK // size, self.mask + 1 - index)
            self.first, self.chunk, offset = index, read(self.bucket(index), count * size), 0
        return struct.unpack_from("=Q", self.chunk, offset)[0]

    def has_moved(self, index):
        return self.state(index) & MOVED != 0

    def slots(self, index):
        """The occupied slots of a bucket and its overflow buckets: (bucket, slot)."""
        bucket, state, seen = self.bucket(index), self.state(index), set()
        while bucket not in seen:
            seen.add(bucket)
            for slot in range(self.layout.slots):
                if state >> (OCCUPIED_SHIFT + slot) & 1:
                    yield bucket, slot
            if not state & CHAINED:
                break
            bucket = read_words(bucket + self.layout.bucket - 8, 1)[0]
            state = read_words(bucket, 1)[0]


def tables(core, layout):
    address = int(core["root"])
    while address:
        table = Table(address, layout)
        yield table
        address = table.next


def entries(core, layout):
    """Each entry once: those of the first bucket not MOVED on the way of its keys, (T1) of table.h."""
    before = None
    for table in tables(core, layout):
        for index in range(table.mask + 1):
            if not table.has_moved(index) and (before is None or before.has_moved(index)):
                for bucket, slot in table.slots(index):
                    entry = layout.entry(bucket, slot)
                    if entry:
                        yield entry
        before = table


def length(core):
    """The sum of what threads have added and removed: cm_map_len_()."""
    total = int(core["other_count"])
    segments = core["counts"]["segments"]
    low, high = segments.type.range()
    for k in range(low, high + 1):
        segment = int(segments[k])
        count = FIRST_THREADS if k == 0 else 4 << k
        for i in range(count if segment else 0):
            total += struct.unpack("=q", read(segment + i * APART, 8))[0]
    return max(total, 0)


class MapPrinter:
    def __init__(self, map_):
        name = tag_of(map_.type)
        if name == "cm_any_anchored":
            map_ = map_["any"]
        self.name, self.core = name, map_["core"]
        if name in DYNAMIC:
            self.layout = DynamicLayout(map_)
        else:
            self.layout = TypedLayout(gdb.lookup_type(name + "_key_"), gdb.lookup_type(name + "_value_"), self.core)
        self.is_set = self.layout.value_size == 0

    def to_string(self):
        found = list(tables(self.core, self.layout))
        how = "" if len(found) == 1 else ", growing" if found[-1].mask > found[0].mask else ", shrinking"
        shown = self.name[: -len("_as")] if self.is_set and self.name.endswith("_as") else self.name
        count = length(self.core)
        return "%s of %d %s%s" % (shown, count, "entry" if count == 1 else "entries", how)

    def children(self):
        for i, (key, value) in enumerate(entries(self.core, self.layout)):
            yield "[%d]" % i, key
            if not self.is_set:
                yield "[%d]" % i, value

    def display_hint(self):
        return "array" if self.is_set else "map"


class TextPrinter:
    def __init__(self, text):
        self.text = text

    def to_string(self):
        size = int(self.text["len"])
        return self.text["data"].lazy_string(length=size) if size else ""

    def display_hint(self):
        return "string"


DYNAMIC = ("cm_any", "cm_any_anchored")


def is_map(type_):
    if tag_of(type_) in DYNAMIC:
        return True
    fields = type_.fields() if type_.code == gdb.TYPE_CODE_STRUCT else []
    return len(fields) == 1 and fields[0].name == "core" and tag_of(fields[0].type) == "cm_map_"


class Printers(gdb.printing.PrettyPrinter):
    def __call__(self, value):
        type_ = value.type.strip_typedefs()
        if tag_of(type_) == "cm_str":
            return TextPrinter(value)
        try:
            return MapPrinter(value) if is_map(type_) else None
        except gdb.error:  # no debug information on its keys or values
            return None


gdb.printing.register_pretty_printer(None, Printers("concmap"), replace=True)
