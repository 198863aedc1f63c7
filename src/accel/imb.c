/*
 * imb.c: finds libipsec-mb. It is not linked to: a process that never makes a TLS connection does not pay for
 * it, and a system without it is fine.
 */
#include "accel/imb.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

cinch_imb cinch_imb_128;
cinch_imb cinch_imb_256;
char cinch_imb_version[32];

/* POSIX has the address of a function in a pointer to data; ISO C does not know how to take it out. */
static int find(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);

    memcpy(function, &address, sizeof address);
    return address != NULL;
}

/*
 * The functions that the manager would hand out. Making a manager costs 4 ms of every process, nearly all of it
 * for tests of all the other algorithms and for their queues.
 */
static int find_all(void *library, cinch_imb *imb, int bits)
{
    const struct {
        const char *before, *after;
        void *place;
    } functions[] = {
        {"pre", "", &imb->expand},
        {"init", "", &imb->start},
        {"init_var_iv", "", &imb->start_of},
        {"enc", "_update", &imb->encrypt},
        {"dec", "_update", &imb->decrypt},
        {"enc", "_finalize", &imb->encrypt_end},
        {"dec", "_finalize", &imb->decrypt_end},
        {"enc", "", &imb->seal},
        {"dec", "", &imb->open},
    };

    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "aes_gcm_%s_%d%s_vaes_avx512", functions[i].before, bits,
                       functions[i].after);
        if (!find(library, name, functions[i].place))
            return 0;
    }
    return 1;
}

static cinch_imb_outcome ask_manager(void *library)
{
    IMB_MGR *(*make)(uint64_t flags);
    void (*drop)(IMB_MGR * manager);
    init_mb_mgr_t init;

    if (!find(library, "alloc_mb_mgr", &make) || !find(library, "free_mb_mgr", &drop) ||
        !find(library, "init_mb_mgr_avx512", &init))
        return CINCH_IMB_UNFIT;
    IMB_MGR *m = make(0);
    if (m == NULL)
        return CINCH_IMB_NO_MEMORY;
    init(m);
    cinch_imb_128 = (cinch_imb){
        m->gcm128_pre,          m->gcm128_init,       m->gcm128_init_var_iv,
        m->gcm128_enc_update,   m->gcm128_dec_update, m->gcm128_enc_finalize,
        m->gcm128_dec_finalize, m->gcm128_enc,        m->gcm128_dec,
    };
    cinch_imb_256 = (cinch_imb){
        m->gcm256_pre,          m->gcm256_init,       m->gcm256_init_var_iv,
        m->gcm256_enc_update,   m->gcm256_dec_update, m->gcm256_enc_finalize,
        m->gcm256_dec_finalize, m->gcm256_enc,        m->gcm256_dec,
    };
    int fit = m->imb_errno == 0 && (m->features & IMB_FEATURE_VAES) != 0;
    drop(m);
    return fit && cinch_imb_128.start_of != NULL && cinch_imb_256.start_of != NULL
               ? CINCH_IMB_READY
               : CINCH_IMB_UNFIT;
}

/* A later library could have larger structures than its header here: what is behind ours has to stay as it was. */
#define BEHIND 1024
#define UNTOUCHED 0x5a

typedef struct trial {
    alignas(64) struct gcm_key_data key;
    unsigned char behind_key[BEHIND];
    struct gcm_context_data state;
    unsigned char behind_state[BEHIND];
    unsigned char text[32]; /* key, nonce and additional data */
    unsigned char plain[1000], sealed[1000], out[1000];
    unsigned char tag[16];
} trial;

static int is_untouched(const unsigned char bytes[BEHIND])
{
    unsigned char other = 0;

    for (size_t i = 0; i < BEHIND; i++)
        other |= bytes[i] ^ UNTOUCHED;
    return other == 0;
}

static int came_out(const trial *t, const unsigned char expected[16], const unsigned char *bytes)
{
    return memcmp(t->tag, expected, sizeof t->tag) == 0 &&
           memcmp(t->out, bytes, sizeof t->out) == 0;
}

static void in_pieces(const cinch_imb *imb, trial *t, int encrypts, const unsigned char *in)
{
    memset(t->tag, 0, sizeof t->tag);
    imb->start(&t->key, &t->state, t->text, t->text, 13);
    (encrypts ? imb->encrypt : imb->decrypt)(&t->key, &t->state, t->out, in, 333);
    (encrypts ? imb->encrypt : imb->decrypt)(&t->key, &t->state, t->out + 333, in + 333,
                                             sizeof t->out - 333);
    (encrypts ? imb->encrypt_end : imb->decrypt_end)(&t->key, &t->state, t->tag, sizeof t->tag);
}

/* A known answer, in one piece and in two, both ways: 1000 bytes go through each of the loops. */
static int computes(const cinch_imb *imb, const unsigned char expected[16])
{
    static trial t; /* not all stacks can be aligned to 64 bytes; the caller has a lock */

    memset(&t, UNTOUCHED, sizeof t);
    for (size_t i = 0; i < sizeof t.plain; i++)
        t.plain[i] = (unsigned char)(i * 7);
    for (size_t i = 0; i < sizeof t.text; i++)
        t.text[i] = (unsigned char)i;
    imb->expand(t.text, &t.key);
    imb->seal(&t.key, &t.state, t.sealed, t.plain, sizeof t.plain, t.text, t.text, 13, t.tag,
              sizeof t.tag);
    if (memcmp(t.tag, expected, sizeof t.tag) != 0)
        return 0;
    imb->open(&t.key, &t.state, t.out, t.sealed, sizeof t.out, t.text, t.text, 13, t.tag,
              sizeof t.tag);
    int right = came_out(&t, expected, t.plain);
    in_pieces(imb, &t, 1, t.plain);
    right = right && came_out(&t, expected, t.sealed);
    in_pieces(imb, &t, 0, t.sealed);
    return right && came_out(&t, expected, t.plain) && is_untouched(t.behind_key) &&
           is_untouched(t.behind_state);
}

int cinch_imb_computes(const cinch_imb *with_128, const cinch_imb *with_256)
{
    /* What OpenSSL computes. */
    static const unsigned char of_128[16] = {0x08, 0x16, 0x7b, 0x25, 0x99, 0xdb, 0x6e, 0x66,
                                             0xb3, 0x26, 0xc2, 0x17, 0xde, 0x78, 0x52, 0xb1};
    static const unsigned char of_256[16] = {0x70, 0x61, 0x31, 0x29, 0x53, 0xf9, 0x16, 0xf2,
                                             0x63, 0x8b, 0x7a, 0x0f, 0xee, 0xda, 0xf2, 0xb6};

    return computes(with_128, of_128) && computes(with_256, of_256);
}

cinch_imb_outcome cinch_imb_load(int by_manager)
{
    static const uint64_t wanted =
        IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    const char *(*text)(void);
    unsigned (*number)(void);
    uint64_t (*features)(void);
    void *library = dlopen("libIPSec_MB.so.1", RTLD_NOW | RTLD_LOCAL);
    cinch_imb_outcome outcome = CINCH_IMB_UNFIT;

    if (library == NULL)
        return CINCH_IMB_MISSING;
    /* An older one than its header could have other structures. */
    if (find(library, "imb_get_version", &number) && find(library, "imb_get_version_str", &text) &&
        find(library, "imb_get_feature_flags", &features) && number() >= IMB_VERSION_NUM &&
        (features() & wanted) == wanted) {
        (void)snprintf(cinch_imb_version, sizeof cinch_imb_version, "libipsec-mb %s", text());
        outcome = CINCH_IMB_READY;
    }
    if (outcome == CINCH_IMB_READY && (by_manager || !find_all(library, &cinch_imb_128, 128) ||
                                       !find_all(library, &cinch_imb_256, 256)))
        outcome = ask_manager(library);
    if (outcome == CINCH_IMB_READY && !cinch_imb_computes(&cinch_imb_128, &cinch_imb_256))
        outcome = CINCH_IMB_UNFIT;
    /* What was found stays for good: connections may use it to the end of the process. */
    if (outcome != CINCH_IMB_READY)
        (void)dlclose(library);
    return outcome;
}
