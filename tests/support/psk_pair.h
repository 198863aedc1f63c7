/* psk_pair.h: connections in memory whose sides share a secret, or should. */
#ifndef CINCH_TESTS_PSK_PAIR_H
#define CINCH_TESTS_PSK_PAIR_H

#include "pair.h"

/* Made by psk_set_up(). */
extern pki_family *psk_family;
extern const unsigned char psk_right_key[32];
extern const cinch_tls_version psk_versions[2];

/* For cmocka_run_group_tests(). */
int psk_set_up(void **state);
int psk_tear_down(void **state);

/* psk_limit allows CTX one VERSION. */
void psk_limit(cinch_context *ctx, cinch_tls_version version);

/*
 * psk_assert_refused checks that neither side is open in the end, and that none believes that the
 * other was verified. It ends the pair.
 */
void psk_assert_refused(pair *p);

/*
 * psk_assert_met checks that both sides are open, by the secret IDENTITY or, if that is empty, by a
 * certificate, and whether each was verified. It ends the pair.
 */
void psk_assert_met(pair *p, const char *identity, int client_verified, int server_verified);

#endif
