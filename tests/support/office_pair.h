/* office_pair.h: connections in memory in which an office signs, for one side or the other. */
#ifndef CINCH_TESTS_OFFICE_PAIR_H
#define CINCH_TESTS_OFFICE_PAIR_H

#include "office.h"
#include "pair.h"

#define OFFICE_KINDS 4u

/* Made by office_set_up(): certificates of one CA, one of each kind of key. */
extern pki_cert *office_root, *office_client;
extern pki_cert *office_leaves[OFFICE_KINDS];
extern const pki_key_type office_kinds[OFFICE_KINDS];
extern const cinch_tls_version office_versions[2];

/* For cmocka_run_group_tests(). */
int office_set_up(void **state);
int office_tear_down(void **state);

/* office_limit allows CTX one VERSION. */
void office_limit(cinch_context *ctx, cinch_tls_version version);

/* office_meet makes a pair in which O signs as the server or the client, as far as it gets alone. */
pair office_meet(office *o, int as_server, cinch_tls_version version);

/* office_assert_open checks that both ends are open and that data goes both ways. */
void office_assert_open(pair *p);

#endif
