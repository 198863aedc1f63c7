/* explain_not_tls.c: what a peer speaks that does not speak TLS, told from its first bytes. */
#include "base/fail.h"
#include "base/text.h"
#include "conn/conn.h"
#include "wire/messages.h"

/* A record of TLS begins with its type and a version 3.x (RFC 8446, 5.1); SSL 2.0's hello differs. */
static int is_tls(const unsigned char *bytes, size_t size)
{
    return bytes[0] >= 20 && bytes[0] <= 24 && (size < 2 || bytes[1] == 3);
}

int cinch_explain_not_tls(const cinch_conn *conn, cinch_error *local)
{
    const cinch_opening *opening = conn->opening;
    const char *peer = conn->link.derived->settings->is_server ? "client" : "server";
    char shown[240];

    if (opening == NULL || opening->first_size == 0 || is_tls(opening->first, opening->first_size))
        return 0;
    cinch_text_clean(shown, sizeof shown, opening->first, opening->first_size, 0);
    const cinch_protocol *other = cinch_protocol_of(opening->first, opening->first_size);
    if (other != NULL) {
        (void)cinch_fail(local, CINCH_CAUSE_NOT_TLS, "the %s does not speak TLS but %s", peer,
                         other->name);
        cinch_fail_evidence(local, "its first bytes are: %s", shown);
        cinch_fail_remedy(local, "%s", other->remedy);
        return 1;
    }
    (void)cinch_fail(local, CINCH_CAUSE_NOT_TLS, "the %s does not speak TLS", peer);
    cinch_fail_evidence(local, "its first bytes are: %s", shown);
    return 1;
}
