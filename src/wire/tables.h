/* tables.h: how the tables of parts.h are written. */
#ifndef CINCH_WIRE_TABLES_H
#define CINCH_WIRE_TABLES_H

#include "wire/parts.h"

#define NUMBER(name, width, registry)                                                              \
    {                                                                                              \
        CINCH_WIRE_NUMBER, name, width, registry, 0, NULL, NULL, 0                                 \
    }
#define BYTES(name, width)                                                                         \
    {                                                                                              \
        CINCH_WIRE_BYTES, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                        \
    }
#define OPAQUE(name, width)                                                                        \
    {                                                                                              \
        CINCH_WIRE_OPAQUE, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                       \
    }
#define TEXT(name, width)                                                                          \
    {                                                                                              \
        CINCH_WIRE_TEXT, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                         \
    }
#define REST(name)                                                                                 \
    {                                                                                              \
        CINCH_WIRE_REST, name, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                             \
    }
#define LIST(name, width, item, each, registry)                                                    \
    {                                                                                              \
        CINCH_WIRE_LIST, name, width, registry, each, item, NULL, 0                                \
    }
#define VECTOR(name, width, inside)                                                                \
    {                                                                                              \
        CINCH_WIRE_VECTOR, name, width, CINCH_NUMBERS_NONE, 0, NULL, inside, 0                     \
    }
#define EXTENSIONS                                                                                 \
    {                                                                                              \
        CINCH_WIRE_EXTENSIONS, "extensions", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 1               \
    }
#define DONE                                                                                       \
    {                                                                                              \
        CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                             \
    }
#define POINT                                                                                      \
    NUMBER("curve_type", 1, CINCH_NUMBERS_CURVE_TYPE),                                             \
        NUMBER("named_curve", 2, CINCH_NUMBERS_GROUP), OPAQUE("public", 1)

typedef cinch_wire_part part;

#endif
