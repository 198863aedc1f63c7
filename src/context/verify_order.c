/*
 * verify_order.c: which of several certificates for one name to try first. libcrypto builds a chain
 * from the first that fits among those that were sent and never comes back to try another, so that
 * a cross-signed intermediate may lead it to a root that is unknown here, past the one that leads to
 * a trusted one. Sorted by their distance from a trust anchor (RFC 4158, 3.1), the right one comes
 * first. Only names are compared here: what the chain is worth is found out afterwards.
 */
#include "base/certificate.h"
#include "context/link.h"

enum {
    MOST = 64, /* more than that is left as it is: the work grows with the square */
    FAR = MOST + 1
};

static int same_subject(const X509 *a, const X509 *b)
{
    return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0;
}

/* There is something to choose from. */
static int is_ambiguous(const STACK_OF(X509) * sent)
{
    for (int i = 0; i < sk_X509_num(sent); i++)
        for (int j = 0; j < i; j++)
            if (same_subject(sk_X509_value(sent, i), sk_X509_value(sent, j)) &&
                X509_cmp(sk_X509_value(sent, i), sk_X509_value(sent, j)) != 0)
                return 1;
    return 0;
}

/* An anchor that could have issued X and is in its time: 1, none: 0, no memory: -1. */
static int is_under_anchor(cinch_trust *trust, const X509 *x, int64_t now)
{
    STACK_OF(X509) *anchors = cinch_trust_by_subject(trust, X509_get_issuer_name(x));
    int found = 0;

    if (anchors == NULL)
        return -1;
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        int64_t not_before, not_after;

        if (cinch_x509_times(sk_X509_value(anchors, i), &not_before, &not_after))
            found |= not_before <= now && now <= not_after;
    }
    sk_X509_pop_free(anchors, X509_free);
    return found;
}

/* Those whose issuer is one step nearer. Returns how many were found. */
static int measure_step(const STACK_OF(X509) * sent, int *distance, int step)
{
    int found = 0;

    for (int i = 0; i < sk_X509_num(sent); i++)
        for (int j = 0; distance[i] == FAR && j < sk_X509_num(sent); j++)
            if (distance[j] == step - 1 &&
                X509_NAME_cmp(X509_get_issuer_name(sk_X509_value(sent, i)),
                              X509_get_subject_name(sk_X509_value(sent, j))) == 0) {
                distance[i] = step;
                found++;
            }
    return found;
}

int cinch_order_sent(cinch_trust *trust, STACK_OF(X509) * sent, int64_t now,
                     STACK_OF(X509) * *ordered)
{
    int count = sk_X509_num(sent);
    int distance[MOST] = {0};

    *ordered = NULL;
    if (count < 3 || count > MOST || !is_ambiguous(sent))
        return 1;
    for (int i = 0; i < count; i++) {
        int under = is_under_anchor(trust, sk_X509_value(sent, i), now);

        if (under < 0)
            return 0;
        distance[i] = under ? 0 : FAR;
    }
    for (int step = 1; measure_step(sent, distance, step) > 0;)
        step++;
    *ordered = sk_X509_new_reserve(NULL, count);
    if (*ordered == NULL)
        return 0;
    for (int step = 0; step <= FAR; step++)
        for (int i = 0; i < count; i++)
            if (distance[i] == step)
                (void)sk_X509_push(*ordered, sk_X509_value(sent, i)); /* the room is there */
    return 1;
}
