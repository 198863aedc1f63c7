/* parts.h: what the files of this directory share. */
#ifndef CINCH_POLICY_PARTS_H
#define CINCH_POLICY_PARTS_H

#include "policy/policy.h"

/* Longer lists and names than anybody writes. */
#define CINCH_POLICY_LIST 4096
#define CINCH_POLICY_WORD 80

/* ---- words.c ---- */

/*
 * cinch_word_next copies the next element of *LIST, up to one of SEPARATORS, to WORD and moves
 * *LIST behind it. 1, 0 at the end, -1 if it is too long. Empty elements are passed over.
 */
int cinch_word_next(const char **list, const char *separators, char word[CINCH_POLICY_WORD]);

/* A place that gives names to compare with: number INDEX, NULL behind the last. */
typedef const char *(*cinch_word_source)(size_t index, const void *arg);

/* cinch_word_near gives the name that is most like WORD; NULL if none is much like it. */
const char *cinch_word_near(const char *word, cinch_word_source source, const void *arg);

/* cinch_word_unknown fails because WORD in the list of WHAT is not known, and says what is near. */
cinch_status cinch_word_unknown(cinch_error *err, const char *what, const char *word,
                                const char *near);

/* cinch_word_same compares without regard to case (ASCII). */
int cinch_word_same(const char *a, const char *b);

/* cinch_list_check refuses NULL, empty and overlong lists. */
cinch_status cinch_list_check(const char *what, const char *list, cinch_error *err);

/* ---- policy.c ---- */

/* The level without a wish: 112 bits, RSA from 2048 bits, no SHA-1. */
#define CINCH_POLICY_LEVEL 2

/* cinch_policy_now_custom: POLICY is no longer one of those with a name. */
void cinch_policy_now_custom(cinch_policy *policy);

/* cinch_policy_take_list puts a copy of LIST, which may be NULL, into FIELD. */
cinch_status cinch_policy_take_list(cinch_policy *policy, char **field, const char *list,
                                    cinch_error *err);

/* ---- suites.c ---- */

/* Each tells whether LIST can be set, and explains it if not. LEVEL is the security level. */
cinch_status cinch_policy_check_ciphers(const char *list, int level, cinch_error *err);
cinch_status cinch_policy_check_suites(const char *list, cinch_error *err);

/* ---- algorithms.c ---- */

cinch_status cinch_policy_check_groups(const char *list, cinch_error *err);
cinch_status cinch_policy_check_sigalgs(const char *list, int level, cinch_error *err);

/* cinch_policy_list_has tells whether a word of LIST reaches BITS by BITS_OF (0: not known, counts). */
int cinch_policy_list_has(const char *list, int (*bits_of)(const char *), int bits);

/* cinch_policy_scratch makes an SSL_CTX to try settings on. NULL and ERR set on failure. */
SSL_CTX *cinch_policy_scratch(cinch_error *err);

#endif
