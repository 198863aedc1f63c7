/* What an observer sees: every kind of record and message, whole, split anywhere, cut, and made up. */
#include "alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cinch/cinch.h>

#define LOG 16384

/* What one side sends; hexadecimal, spaces for the eye. */
typedef struct step {
    char side; /* 'C', 'S'; 0: the end of the list */
    const char *hex;
} step;

typedef struct watcher {
    char log[LOG];
    size_t used;
    size_t events;
} watcher;

/* RFC 8448, 3: ClientHello and ServerHello. */
#define HELLO_13                                                                                   \
    "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece70000061301130313" \
    "02010000910000000b0009000006736572766572ff01000100000a00140012001d00170018001901000101010201" \
    "0301040023000000330026"                                                                       \
    "0024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b000302030400" \
    "0d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c000240" \
    "01"
#define ANSWER_13                                                                                  \
    "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e0033" \
    "0024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304"
#define EXTENSIONS_13                                                                              \
    "080000240022000a00140012001d00170018001901000101010201030104001c0002400100000000"

#define ZEROS8 "0000000000000000"
#define RANDOM ZEROS8 ZEROS8 ZEROS8 ZEROS8
/* TLS 1.2: ECDHE-RSA-AES128-GCM. */
#define HELLO_12 "0100002b 0303" RANDOM "00 0004 c02f 00ff 0100"
#define ANSWER_12 "02000028 0303" RANDOM "00 c02f 00 0000"
#define RETRY_RANDOM "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"

static void see(const cinch_wire_event *event, void *arg)
{
    watcher *w = arg;
    int n;

    w->events++;
    /* Whatever comes: texts are there, and fields are inside of the bytes. */
    assert_non_null(event->name);
    assert_non_null(event->text);
    assert_non_null(event->note);
    for (size_t i = 0; i < event->field_count; i++) {
        assert_non_null(event->fields[i].name);
        assert_non_null(event->fields[i].value);
        assert_true(event->fields[i].offset + event->fields[i].size <= event->size);
        assert_true(i == 0 || event->fields[i].depth <= event->fields[i - 1].depth + 1);
    }
    n = snprintf(w->log + w->used, LOG - w->used, "%c %s%s%s%s%s%s%s\n",
                 event->sender == CINCH_WIRE_CLIENT ? 'C' : 'S',
                 event->kind == CINCH_WIRE_RECORD    ? "record "
                 : event->kind == CINCH_WIRE_MESSAGE ? "message "
                                                     : "",
                 event->is_inside ? "inside " : "", event->name, event->text[0] != 0 ? ": " : "",
                 event->text, event->is_protected ? " (protected)" : "",
                 event->is_malformed && event->kind != CINCH_WIRE_PROBLEM ? " (malformed)" : "");
    assert_true(n > 0 && (size_t)n < LOG - w->used);
    w->used += (size_t)n;
}

/* Bytes of HEX, in memory of just that size. */
static unsigned char *bytes_of(const char *hex, size_t *size)
{
    unsigned char *bytes = malloc(strlen(hex) / 2 + 1);
    char pair[3] = "";

    *size = 0;
    while (*hex != 0) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        pair[0] = *hex++;
        pair[1] = *hex++;
        bytes[(*size)++] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return bytes;
}

static void feed(cinch_wire *wire, cinch_wire_side side, const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, bytes, size);
    assert_int_equal(cinch_wire_feed(wire, side, copy, size, NULL), CINCH_OK);
    free(copy);
}

/* All of STEPS, each cut into pieces of PIECE bytes after the first FIRST. */
static void run(const step *steps, size_t first, size_t piece, watcher *w)
{
    cinch_wire *wire = cinch_wire_new(see, w, NULL);

    assert_non_null(wire);
    for (; steps->side != 0; steps++) {
        cinch_wire_side side = steps->side == 'C' ? CINCH_WIRE_CLIENT : CINCH_WIRE_SERVER;
        size_t size, at = 0;
        unsigned char *bytes = bytes_of(steps->hex, &size);

        while (at < size) {
            size_t now = at == 0 && first > 0 ? first : piece;

            if (now > size - at)
                now = size - at;
            feed(wire, side, bytes + at, now);
            at += now;
        }
        free(bytes);
    }
    assert_int_equal(cinch_wire_end(wire, CINCH_WIRE_CLIENT, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_end(wire, CINCH_WIRE_SERVER, NULL), CINCH_OK);
    cinch_wire_free(wire);
}

/* The same whatever the pieces. */
static void check(const step *steps, const char *wanted)
{
    watcher w = {.used = 0};
    size_t longest = 0;

    run(steps, 0, SIZE_MAX, &w);
    assert_string_equal(w.log, wanted);
    for (const step *s = steps; s->side != 0; s++)
        longest = strlen(s->hex) > longest ? strlen(s->hex) : longest;
    for (size_t first = 1; first < longest / 2; first++) {
        w = (watcher){.used = 0};
        run(steps, first, SIZE_MAX, &w);
        assert_string_equal(w.log, wanted);
    }
    for (size_t piece = 1; piece < 8; piece++) {
        w = (watcher){.used = 0};
        run(steps, 0, piece, &w);
        assert_string_equal(w.log, wanted);
    }
}

static void tls_13(void **state)
{
    static const step steps[] = {
        {'C', "16 0301 00c4" HELLO_13}, {'S', "16 0303 005a" ANSWER_13},
        {'S', "14 0303 0001 01"},       {'S', "17 0303 0012 000102030405060708090a0b0c0d0e0f1011"},
        {'C', "14 0303 0001 01"},       {'C', "17 0303 0012 000102030405060708090a0b0c0d0e0f1011"},
        {'C', "15 0303 0002 0230"},     {0},
    };

    (void)state;
    check(steps, "C record handshake: TLS 1.0, 196 bytes\n"
                 "C message ClientHello: for server, offers TLS 1.3\n"
                 "S record handshake: TLS 1.2, 90 bytes\n"
                 "S message ServerHello: TLS 1.3, TLS_AES_128_GCM_SHA256, x25519\n"
                 "S record change_cipher_spec: TLS 1.2, 1 byte\n"
                 "S message change_cipher_spec\n"
                 "S record application_data: TLS 1.2, 18 bytes (protected)\n"
                 "C record change_cipher_spec: TLS 1.2, 1 byte\n"
                 "C message change_cipher_spec\n"
                 "C record application_data: TLS 1.2, 18 bytes (protected)\n"
                 "C record alert: TLS 1.2, 2 bytes\n"
                 "C message alert: fatal, unknown_ca\n");
}

static void tls_12(void **state)
{
    static const step steps[] = {
        {'C', "16 0301 002f" HELLO_12},
        /* Three messages in one record; the certificate is none. */
        {'S', "16 0303 0041" ANSWER_12 "0b00000d 00000a 000007 30050201010101 0e000000"},
        {'C', "16 0303 0009 10000005 0401020304 14 0303 0001 01 16 0303 0008 0102030405060708"},
        {'S', "14 0303 0001 01 16 0303 0008 0102030405060708 17 0303 0004 01020304"},
        {'C', "15 0303 0004 01020304"},
        {0},
    };

    (void)state;
    check(steps, "C record handshake: TLS 1.0, 47 bytes\n"
                 "C message ClientHello: without a name, offers TLS 1.2\n"
                 "S record handshake: TLS 1.2, 65 bytes\n"
                 "S message ServerHello: TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
                 "S message Certificate: not readable, serial not readable (malformed)\n"
                 "S message ServerHelloDone\n"
                 "C record handshake: TLS 1.2, 9 bytes\n"
                 "C message ClientKeyExchange\n"
                 "C record change_cipher_spec: TLS 1.2, 1 byte\n"
                 "C message change_cipher_spec\n"
                 "C record handshake: TLS 1.2, 8 bytes (protected)\n"
                 "S record change_cipher_spec: TLS 1.2, 1 byte\n"
                 "S message change_cipher_spec\n"
                 "S record handshake: TLS 1.2, 8 bytes (protected)\n"
                 "S record application_data: TLS 1.2, 4 bytes (protected)\n"
                 "C record alert: TLS 1.2, 4 bytes (protected)\n");
}

/* One message in three records, the middle one of a single byte. */
static void fragments(void **state)
{
    static const step steps[] = {
        {'C',
         "16 0301 0003 010000 16 0301 0001 2b 16 0301 002b 0303" RANDOM "00 0004 c02f 00ff 0100"},
        {0},
    };

    (void)state;
    check(steps, "C record handshake: TLS 1.0, 3 bytes\n"
                 "C record handshake: TLS 1.0, 1 byte\n"
                 "C record handshake: TLS 1.0, 43 bytes\n"
                 "C message ClientHello: without a name, offers TLS 1.2\n");
}

static void hello_retry(void **state)
{
    static const step steps[] = {
        {'C', "16 0301 00c4" HELLO_13},
        {'S',
         "16 0303 0038 02000034 0303" RETRY_RANDOM "00 1301 00 000c 002b00020304 003300020017"},
        {'C', "14 0303 0001 01 16 0303 00c4" HELLO_13},
        {0},
    };

    (void)state;
    check(steps, "C record handshake: TLS 1.0, 196 bytes\n"
                 "C message ClientHello: for server, offers TLS 1.3\n"
                 "S record handshake: TLS 1.2, 56 bytes\n"
                 "S message HelloRetryRequest: TLS 1.3, TLS_AES_128_GCM_SHA256, secp256r1\n"
                 "C record change_cipher_spec: TLS 1.2, 1 byte\n"
                 "C message change_cipher_spec\n"
                 "C record handshake: TLS 1.2, 196 bytes\n"
                 "C message ClientHello: for server, offers TLS 1.3\n");
}

/* All that one side says before anything of the other: what can be told is told. */
static void one_side_first(void **state)
{
    static const step old[] = {
        {'C', "16 0301 002f" HELLO_12 "14 0303 0001 01 16 0303 0008 1402030405060708"},
        {0},
    };
    static const step new[] = {
        {'C',
         "16 0301 00c4" HELLO_13 "14 0303 0001 01 17 0303 0004 01020304 16 0303 00c4" HELLO_13},
        {0},
    };

    (void)state;
    check(old, "C record handshake: TLS 1.0, 47 bytes\n"
               "C message ClientHello: without a name, offers TLS 1.2\n"
               "C record change_cipher_spec: TLS 1.2, 1 byte\n"
               "C message change_cipher_spec\n"
               "C record handshake: TLS 1.2, 8 bytes (protected)\n");
    check(new, "C record handshake: TLS 1.0, 196 bytes\n"
               "C message ClientHello: for server, offers TLS 1.3\n"
               "C record change_cipher_spec: TLS 1.2, 1 byte\n"
               "C message change_cipher_spec\n"
               "C record application_data: TLS 1.2, 4 bytes (protected)\n"
               "C record handshake: TLS 1.2, 196 bytes\n"
               "C message ClientHello: for server, offers TLS 1.3\n");
}

static void ssl_2(void **state)
{
    static const step steps[] = {
        {'C', "801c 01 0301 0006 0000 000d 00002f 0700c0 0102030405060708090a0b0c0d"
              "15 0301 0002 0228"},
        {0},
    };

    (void)state;
    check(steps, "C record handshake: SSL 2.0\n"
                 "C message ClientHello: offers TLS 1.0\n"
                 "C record alert: TLS 1.0, 2 bytes\n"
                 "C message alert: fatal, handshake_failure\n");
}

static void no_tls(void **state)
{
    /* "GET / HTTP/1.0", a server that answers so, and DTLS. */
    static const step http[] = {
        {'C', "474554202f20485454502f312e300d0a0d0a"},
        {'S', "485454502f312e3020343030206e6f2c20746861742077617320636c6561720d0a0d0a"},
        {0},
    };
    static const step dtls[] = {{'C', "16 feff 0000 000000000000 0004 01020304"}, {0}};
    static const step later[] = {{'C', "15 0303 0002 0100 ffffffff"}, {0}};

    (void)state;
    check(http, "S problem: the server does not speak TLS but plain HTTP\n"
                "C problem: the client does not speak TLS but plain HTTP\n");
    check(dtls, "C problem: the client speaks DTLS, which is not read here\n");
    check(later, "C record alert: TLS 1.2, 2 bytes\n"
                 "C message alert: warning, close_notify\n"
                 "C problem: what the client sends after record 0 is not TLS\n");
}

static void lies(void **state)
{
    static const step interrupted[] = {{'C', "16 0301 0004 01000010 15 0303 0002 0100"}, {0}};
    static const step huge[] = {{'C', "16 0301 0005 01ffffff 00 16 0301 0001 00"}, {0}};
    static const step empty[] = {{'S', "16 0303 0000 15 0303 0000 14 0303 0002 0101"}, {0}};
    static const step early[] = {
        {'S', "16 0303 002c" ANSWER_12 "17 0303 0003 010203"},
        {0},
    };
    static const step cut[] = {{'C', "16 0301 0010 0100"}, {'S', "16 0303 0004 0200ffff"}, {0}};
    static const step nothing_fits[] = {{'C', "16 0301 0008 01000004 03030102"}, {0}};
    static const step unknown[] = {{'C', "16 0301 0005 63000001 07"}, {0}};

    (void)state;
    check(interrupted,
          "C record handshake: TLS 1.0, 4 bytes\n"
          "C record alert: TLS 1.2, 2 bytes\n"
          "C problem: another record comes after 4 bytes of a handshake message that is not "
          "complete\n"
          "C message alert: warning, close_notify\n");
    check(huge, "C record handshake: TLS 1.0, 5 bytes\n"
                "C problem: a handshake message claims to have 16777215 bytes, which none has\n"
                "C record handshake: TLS 1.0, 1 byte\n");
    check(empty, "S record handshake: TLS 1.2, 0 bytes (malformed)\n"
                 "S record alert: TLS 1.2, 0 bytes (malformed)\n"
                 "S record change_cipher_spec: TLS 1.2, 2 bytes\n"
                 "S message change_cipher_spec (malformed)\n");
    check(early, "S record handshake: TLS 1.2, 44 bytes\n"
                 "S message ServerHello: TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
                 "S record application_data: TLS 1.2, 3 bytes (malformed)\n"
                 "S message application_data: 3 bytes\n");
    check(cut, "S record handshake: TLS 1.2, 4 bytes\n"
               "C problem: it ends in the middle of a record: 7 of 21 bytes\n"
               "S problem: it ends after 4 bytes of a handshake message that is not complete\n");
    check(nothing_fits, "C record handshake: TLS 1.0, 8 bytes\n"
                        "C message ClientHello: without a name, offers TLS 1.2 (malformed)\n");
    check(unknown, "C record handshake: TLS 1.0, 5 bytes\n"
                   "C message handshake message 99\n");
}

/* A record may have at most 2^14 bytes in clear; what claims more is shown all the same. */
static void too_long(void **state)
{
    unsigned char *bytes = calloc(1, 5 + 16385);
    watcher w = {.used = 0};
    cinch_wire *wire = cinch_wire_new(see, &w, NULL);

    (void)state;
    static const unsigned char start[] = {0x16, 3, 1, 0x40, 1, 0, 0, 0x3f, 0xfd};
    memcpy(bytes, start, sizeof start);
    feed(wire, CINCH_WIRE_CLIENT, bytes, 5 + 16385);
    assert_string_equal(w.log, "C record handshake: TLS 1.0, 16385 bytes (malformed)\n"
                               "C message HelloRequest (malformed)\n");
    cinch_wire_free(wire);
    free(bytes);
}

static void keep_fields(const cinch_wire_event *event, void *arg)
{
    char *out = arg;

    if (event->kind != CINCH_WIRE_MESSAGE)
        return;
    (void)snprintf(out + strlen(out), LOG - strlen(out), "note %s\n", event->note);
    for (size_t i = 0; i < event->field_count; i++)
        (void)snprintf(out + strlen(out), LOG - strlen(out), "%*s%s@%zu+%zu=%s\n",
                       (int)event->fields[i].depth, "", event->fields[i].name,
                       event->fields[i].offset, event->fields[i].size, event->fields[i].value);
}

static void parts_of(const char *hex, char out[LOG])
{
    cinch_wire *wire = cinch_wire_new(keep_fields, out, NULL);
    size_t size;
    unsigned char *bytes = bytes_of(hex, &size);
    cinch_wire_side side = bytes[5] == 1 ? CINCH_WIRE_CLIENT : CINCH_WIRE_SERVER;

    out[0] = 0;
    feed(wire, side, bytes, size);
    free(bytes);
    cinch_wire_free(wire);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void fields_of_a_hello(void **state)
{
    char out[LOG];

    (void)state;
    parts_of("16 0301 00c4" HELLO_13, out);
    has(out, "note the name is in clear");
    has(out, "msg_type@0+1=ClientHello (1)\nlength@1+3=192\n"
             "legacy_version@4+2=TLS 1.2 (0x0303)\n"
             "random@6+32=cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7\n"
             "legacy_session_id@38+1=empty\n"
             "cipher_suites@39+8=\n"
             " cipher_suite@41+2=TLS_AES_128_GCM_SHA256 (0x1301)\n");
    has(out, "extensions@49+147=\n server_name@51+15=\n  server_name_list@55+11=\n"
             "   name_type@57+1=host_name (0)\n   host_name@58+8=server\n"
             " renegotiation_info@66+5=\n  renegotiated_connection@70+1=empty\n"
             " supported_groups@71+24=\n  named_group_list@75+20=\n"
             "   named_group@77+2=x25519 (0x001d)\n");
    has(out,
        " session_ticket@95+4=empty\n key_share@99+42=\n  client_shares@103+38=\n"
        "   group@105+2=x25519 (0x001d)\n"
        "   key_exchange@107+34=99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c\n");
    has(out, "   signature_scheme@");
    has(out, "  ke_modes@188+2=\n   ke_mode@189+1=psk_dhe_ke (1)\n"
             " record_size_limit@190+6=\n  record_size_limit@194+2=16385\n");
}

/* GREASE, an unknown extension, one that does not fit, ALPN with control characters, ECH. */
static void odd_extensions(void **state)
{
    char out[LOG];

    (void)state;
    parts_of("16 0301 0086 01000082 0303" RANDOM "00 0004 0a0a 1301 0100 0055"
             "1a1a 0000 1234 0002 beef 000a 0003 0002 00"
             "0010 0009 0007 0268 32 031b5b41" /* "h2", ESC [ A */
             "002b 0007 06 7a7a 0304 0303"
             "fe0d 0012 00 0001 0001 07 0002 aabb 0006 010203040506"
             "0033 0012 0010 2a2a 0001 00 001d 0007 01020304050607",
             out);
    has(out, "cipher_suite@41+2=GREASE (0x0a0a)\n");
    has(out, "GREASE (0x1a1a)@49+4=empty\n extension (0x1234)@53+6=beef\n");
    has(out, "supported_groups@59+7=\n  named_group_list@63+3=cut short: 000200\n");
    has(out, "protocol_name@72+3=h2\n   protocol_name@75+4=\\x1b[A\n");
    has(out, "version@84+2=GREASE (0x7a7a)\n   version@86+2=TLS 1.3 (0x0304)\n");
    has(out, "encrypted_client_hello@90+22=\n  type@94+1=outer (0)\n  kdf@95+2=HKDF-SHA256 "
             "(0x0001)\n  aead@97+2=AES-128-GCM (0x0001)\n  config_id@99+1=7\n  enc@100+4=aabb\n"
             "  payload@104+8=010203040506\n");
    has(out, "note Encrypted Client Hello");
    has(out, "group@118+2=GREASE (0x2a2a)\n   key_exchange@120+3=00\n");
}

static void downgrades(void **state)
{
    char out[LOG];

    (void)state;
    parts_of("16 0303 002c 02000028 0303" ZEROS8 ZEROS8 ZEROS8 "444f574e47524401 00 c02f 00 0000",
             out);
    has(out, "note the random ends in DOWNGRD 01: this server can speak TLS 1.3");
    parts_of("16 0303 002c 02000028 0302" ZEROS8 ZEROS8 ZEROS8 "444f574e47524400 00 c013 00 0000",
             out);
    has(out, "note the random ends in DOWNGRD 00: this server can speak TLS 1.2 or newer");
}

static void inside(void **state)
{
    watcher w = {.used = 0};
    cinch_wire *wire = cinch_wire_new(see, &w, NULL);
    size_t size;
    unsigned char *bytes = bytes_of("16 0303 005a" ANSWER_13 "17 0303 0004 01020304", &size);

    (void)state;
    feed(wire, CINCH_WIRE_SERVER, bytes, size);
    free(bytes);
    bytes = bytes_of(EXTENSIONS_13 "18000001 01", &size);
    /* In two pieces, as two records would have it. */
    assert_int_equal(cinch_wire_inside(wire, CINCH_WIRE_SERVER, 22, bytes, 7, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_inside(wire, CINCH_WIRE_SERVER, 22, bytes + 7, size - 7, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_wire_inside(wire, CINCH_WIRE_SERVER, 21, "\x01", 2, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_inside(wire, CINCH_WIRE_SERVER, 23, NULL, 99, NULL), CINCH_OK);
    free(bytes);
    assert_string_equal(w.log, "S record handshake: TLS 1.2, 90 bytes\n"
                               "S message ServerHello: TLS 1.3, TLS_AES_128_GCM_SHA256, x25519\n"
                               "S record application_data: TLS 1.2, 4 bytes (protected)\n"
                               "S message inside EncryptedExtensions\n"
                               "S message inside KeyUpdate: update_requested\n"
                               "S message inside alert: warning, close_notify\n"
                               "S message inside application_data: 99 bytes\n");
    cinch_wire_free(wire);
}

/* Every byte of a hello and its answer changed: told as something, and nothing outside is read. */
static void changed(void **state)
{
    size_t size;
    unsigned char *bytes = bytes_of("16 0301 00c4" HELLO_13, &size);

    (void)state;
    for (size_t at = 0; at < size; at++) {
        for (int flip = 1; flip < 256; flip = flip * 2 + 1) {
            watcher w = {.used = 0};
            cinch_wire *wire = cinch_wire_new(see, &w, NULL);

            bytes[at] ^= (unsigned char)flip;
            feed(wire, CINCH_WIRE_CLIENT, bytes, size);
            assert_int_equal(cinch_wire_end(wire, CINCH_WIRE_CLIENT, NULL), CINCH_OK);
            assert_true(w.events > 0);
            bytes[at] ^= (unsigned char)flip;
            cinch_wire_free(wire);
        }
    }
    free(bytes);
}

static void misuse(void **state)
{
    watcher w = {.used = 0};
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_null(cinch_wire_new(NULL, NULL, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    assert_null(cinch_wire_new(see, &w, &err));
    cinch_wire *wire = cinch_wire_new(see, &w, NULL);
    assert_int_equal(cinch_wire_feed(NULL, CINCH_WIRE_CLIENT, "", 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_wire_feed(wire, (cinch_wire_side)2, "", 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_wire_feed(wire, CINCH_WIRE_CLIENT, NULL, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_wire_feed(wire, CINCH_WIRE_CLIENT, NULL, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_inside(wire, CINCH_WIRE_CLIENT, 22, NULL, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_wire_end(wire, CINCH_WIRE_CLIENT, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_end(wire, CINCH_WIRE_CLIENT, NULL), CINCH_OK);
    assert_int_equal(cinch_wire_feed(wire, CINCH_WIRE_CLIENT, "", 1, NULL), CINCH_FAILED);
    assert_int_equal(w.events, 0);
    cinch_wire_free(wire);
    cinch_wire_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_13),         cmocka_unit_test(tls_12),
        cmocka_unit_test(fragments),      cmocka_unit_test(hello_retry),
        cmocka_unit_test(one_side_first), cmocka_unit_test(ssl_2),
        cmocka_unit_test(no_tls),         cmocka_unit_test(lies),
        cmocka_unit_test(too_long),       cmocka_unit_test(fields_of_a_hello),
        cmocka_unit_test(odd_extensions), cmocka_unit_test(downgrades),
        cmocka_unit_test(inside),         cmocka_unit_test(changed),
        cmocka_unit_test(misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
