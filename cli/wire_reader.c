/*
 * wire_reader.c: records opened with the secrets of a key log: TLS 1.3 (RFC 8446, 5.2 and 7.3), and TLS 1.2
 * with AES-GCM or ChaCha20-Poly1305 (RFC 5246, 6.3; RFC 5288; RFC 7905). Which keys are in use is found by
 * trying: authentication tells.
 */
#define _DEFAULT_SOURCE /* explicit_bzero */
#include "wire_keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 5,
    TAG = 16,
    IV = 12,
    EXPLICIT = 8, /* of the nonce, in the records of AES-GCM in TLS 1.2 */
    TLS_1_2 = 0x0303,
    TLS_1_3 = 0x0304
};

/* The algorithms, by what is in the name of a suite. */
static const struct {
    const char *word;
    const char *cipher;
    size_t key_size;
    bool explicit_nonce; /* in TLS 1.2 */
} ciphers[] = {
    {"AES_128_GCM", "AES-128-GCM", 16, true},
    {"AES_256_GCM", "AES-256-GCM", 32, true},
    {"CHACHA20_POLY1305", "ChaCha20-Poly1305", 32, false},
};

#define CIPHER_COUNT (sizeof(ciphers) / sizeof(ciphers[0]))

/* What one side protects with. */
typedef struct side_keys {
    unsigned char secret[64];
    size_t secret_size;
    unsigned char key[32];
    unsigned char iv[IV];
    uint64_t sequence;
    int stage; /* TLS 1.3: 0 none, 1 handshake, 2 data; TLS 1.2: 2 */
} side_keys;

struct wire_reader {
    const wire_keys *keys;
    unsigned char randoms[2][32]; /* the client's, the server's */
    int version;
    size_t cipher; /* CIPHER_COUNT: none that is known */
    const char *digest;
    side_keys sides[2];
};

wire_reader *wire_reader_new(const wire_keys *keys)
{
    wire_reader *reader = cli_alloc(sizeof(*reader));

    reader->keys = keys;
    reader->cipher = CIPHER_COUNT;
    return reader;
}

void wire_reader_free(wire_reader *reader)
{
    if (reader == NULL)
        return;
    explicit_bzero(reader, sizeof(*reader));
    free(reader);
}

static const char *value_of(const cinch_wire_event *event, const char *name)
{
    for (size_t i = 0; i < event->field_count; i++)
        if (strcmp(event->fields[i].name, name) == 0)
            return event->fields[i].value;
    return "";
}

void wire_reader_see(wire_reader *reader, const cinch_wire_event *event)
{
    const char *suite = value_of(event, "cipher_suite");
    bool hello = event->kind == CINCH_WIRE_MESSAGE && event->content_type == 22 &&
                 !event->is_inside && !event->is_malformed && event->size > 6 + 32 &&
                 (event->bytes[0] == 1 || event->bytes[0] == 2);

    if (!hello)
        return;
    memcpy(reader->randoms[event->bytes[0] - 1], event->bytes + 6, 32);
    if (event->bytes[0] != 2)
        return;
    reader->version = strstr(value_of(event, "selected_version"), "0x0304") != NULL
                          ? TLS_1_3
                          : event->bytes[4] << 8 | event->bytes[5];
    reader->digest = strstr(suite, "SHA384") != NULL ? "SHA384" : "SHA256";
    for (reader->cipher = 0; reader->cipher < CIPHER_COUNT; reader->cipher++)
        if (strstr(suite, ciphers[reader->cipher].word) != NULL)
            break;
}

static bool derive(const char *name, OSSL_PARAM *params, unsigned char *out, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, size, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done;
}

static OSSL_PARAM text_param(const char *key, const char *text)
{
    union {
        const char *given;
        char *wanted;
    } value = {.given = text};

    return OSSL_PARAM_construct_utf8_string(key, value.wanted, 0);
}

/* HKDF-Expand-Label with an empty context (RFC 8446, 7.1). */
static bool expand(const wire_reader *reader, side_keys *side, const char *label,
                   unsigned char *out, size_t size)
{
    unsigned char info[64];
    size_t length = strlen(label);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

    info[0] = (unsigned char)(size >> 8);
    info[1] = (unsigned char)size;
    info[2] = (unsigned char)(6 + length);
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, length);
    info[9 + length] = 0;
    OSSL_PARAM params[] = {
        text_param(OSSL_KDF_PARAM_DIGEST, reader->digest),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, side->secret, side->secret_size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, 10 + length),
        OSSL_PARAM_construct_end(),
    };

    return derive("HKDF", params, out, size);
}

static bool use_secret(const wire_reader *reader, side_keys *side)
{
    side->sequence = 0;
    return expand(reader, side, "key", side->key, ciphers[reader->cipher].key_size) &&
           expand(reader, side, "iv", side->iv, IV);
}

/* The keys after those that SIDE has: of data after those of the handshake, then updated ones. */
static bool next_keys(const wire_reader *reader, cinch_wire_side sender, side_keys *side)
{
    static const char *const labels[2][2] = {
        {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"},
        {"SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"},
    };
    unsigned char updated[64];
    bool done;

    if (side->stage < 2) {
        side->secret_size = wire_keys_find(reader->keys, labels[sender][side->stage],
                                           reader->randoms[0], side->secret);
        side->stage++;
        return side->secret_size > 0 && use_secret(reader, side);
    }
    done = expand(reader, side, "traffic upd", updated, side->secret_size);
    if (done)
        memcpy(side->secret, updated, side->secret_size);
    explicit_bzero(updated, sizeof(updated));
    return done && use_secret(reader, side);
}

/* The key block of TLS 1.2 (RFC 5246, 6.3): both keys, then both fixed parts of the nonce. */
static bool old_keys(wire_reader *reader, cinch_wire_side sender, side_keys *side)
{
    static const char label[] = "key expansion";
    size_t key = ciphers[reader->cipher].key_size;
    size_t iv = ciphers[reader->cipher].explicit_nonce ? IV - EXPLICIT : IV;
    unsigned char seed[sizeof(label) - 1 + 64];
    unsigned char block[2 * (32 + IV)];
    bool done;

    memcpy(seed, label, sizeof(label) - 1);
    memcpy(seed + sizeof(label) - 1, reader->randoms[1], 32);
    memcpy(seed + sizeof(label) - 1 + 32, reader->randoms[0], 32);
    side->stage = 2;
    side->sequence = 0;
    side->secret_size =
        wire_keys_find(reader->keys, "CLIENT_RANDOM", reader->randoms[0], side->secret);
    OSSL_PARAM params[] = {
        text_param(OSSL_KDF_PARAM_DIGEST, reader->digest),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, side->secret, side->secret_size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };

    done = side->secret_size > 0 && derive("TLS1-PRF", params, block, 2 * (key + iv));
    if (done) {
        memcpy(side->key, block + (sender == CINCH_WIRE_CLIENT ? 0 : key), key);
        memcpy(side->iv, block + 2 * key + (sender == CINCH_WIRE_CLIENT ? 0 : iv), iv);
    }
    explicit_bzero(block, sizeof(block));
    return done;
}

/* Opens SIZE bytes at IN into OUT. False if they are not of this key, nonce and these AAD. */
static bool open_sealed(const wire_reader *reader, const side_keys *side,
                        const unsigned char nonce[IV], const unsigned char *aad, size_t aad_size,
                        const unsigned char *in, size_t size, unsigned char *out)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, ciphers[reader->cipher].cipher, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char tag[TAG];
    int n = 0;
    bool done;

    memcpy(tag, in + size, TAG);
    done = cipher != NULL && ctx != NULL &&
           EVP_DecryptInit_ex2(ctx, cipher, side->key, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_size) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, in, (int)size) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return done;
}

/* The fixed part, with the number of the record over its end. */
static void make_nonce(const side_keys *side, unsigned char nonce[IV])
{
    memcpy(nonce, side->iv, IV);
    for (int i = 0; i < 8; i++)
        nonce[IV - 1 - i] ^= (unsigned char)(side->sequence >> (8 * i));
}

/* TLS 1.3: what is inside ends with its type, and zeros behind that. */
static bool open_new(wire_reader *reader, const cinch_wire_event *event, unsigned char *out,
                     size_t *size, int *type)
{
    side_keys *mine = &reader->sides[event->sender];
    side_keys trial = *mine;
    unsigned char nonce[IV];
    bool opened = false;

    /* The keys in use, those after them, and those after an update. */
    for (int step = 0; step < 3 && !opened; step++) {
        if ((step > 0 || trial.stage == 0) && !next_keys(reader, event->sender, &trial))
            continue;
        *size = event->size - HEADER - TAG;
        make_nonce(&trial, nonce);
        opened = open_sealed(reader, &trial, nonce, event->bytes, HEADER, event->bytes + HEADER,
                             *size, out);
    }
    if (opened) {
        trial.sequence++;
        *mine = trial;
        while (*size > 0 && out[*size - 1] == 0)
            (*size)--;
        opened = *size > 0;
        if (opened)
            *type = out[--*size];
    }
    explicit_bzero(&trial, sizeof(trial));
    return opened;
}

static bool open_old(wire_reader *reader, const cinch_wire_event *event, unsigned char *out,
                     size_t *size, int *type)
{
    side_keys *side = &reader->sides[event->sender];
    size_t before = ciphers[reader->cipher].explicit_nonce ? EXPLICIT : 0;
    unsigned char nonce[IV];
    unsigned char aad[13];

    if (event->size < HEADER + before + TAG ||
        (side->stage == 0 && !old_keys(reader, event->sender, side)) || side->secret_size == 0)
        return false;
    *size = event->size - HEADER - before - TAG;
    *type = event->content_type;
    if (before > 0) {
        memcpy(nonce, side->iv, IV - EXPLICIT);
        memcpy(nonce + IV - EXPLICIT, event->bytes + HEADER, EXPLICIT);
    } else {
        make_nonce(side, nonce);
    }
    for (int i = 0; i < 8; i++)
        aad[i] = (unsigned char)(side->sequence >> (56 - 8 * i));
    memcpy(aad + 8, event->bytes, 3);
    aad[11] = (unsigned char)(*size >> 8);
    aad[12] = (unsigned char)*size;
    side->sequence++;
    return open_sealed(reader, side, nonce, aad, sizeof(aad), event->bytes + HEADER + before, *size,
                       out);
}

bool wire_reader_open(wire_reader *reader, const cinch_wire_event *event, unsigned char **inside,
                      size_t *size, int *type)
{
    unsigned char *out;
    bool opened = false;

    if (reader->cipher == CIPHER_COUNT || event->size < HEADER + TAG)
        return false;
    out = cli_alloc(event->size);
    if (reader->version == TLS_1_3)
        opened = event->content_type == 23 && open_new(reader, event, out, size, type);
    else if (reader->version == TLS_1_2)
        opened = open_old(reader, event, out, size, type);
    if (opened)
        *inside = out;
    else
        free(out);
    return opened;
}
