/*
 * signer_later.c: a signature that somebody gives later. The handshake asks for it on a fiber, which
 * pauses; who runs the fiber calls the program's callback, on its own stack, and lets the fiber go on
 * once there is an answer.
 */
#include "identity/signer.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What follows it in memory: the message, the digest, and the room for the signature. */
struct cinch_signature_request {
    atomic_uint references; /* the connection's and the program's */
    const cinch_signer *signer;
    cinch_signing what;
    char digest_name[32];
    unsigned char *signature;
    size_t room;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t answer;
    int answered;
    cinch_status status;
    size_t size;
    char reason[CINCH_ERROR_DETAIL];
};

static int set_up(cinch_signature_request *request)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return 0;
    /* Deadlines are moments of the clock that never goes back. */
    int ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
             pthread_cond_init(&request->answer, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    if (ok && pthread_mutex_init(&request->lock, NULL) != 0) {
        (void)pthread_cond_destroy(&request->answer);
        ok = 0;
    }
    return ok;
}

/* For two: the connection and the program. */
static cinch_signature_request *request_new(const cinch_signer *signer, const cinch_signing *what,
                                            size_t room)
{
    cinch_signature_request *request =
        cinch_alloc(sizeof *request + what->message_size + what->digest_size + room);

    if (request == NULL || !set_up(request)) {
        cinch_release(request);
        return NULL;
    }
    unsigned char *bytes = (unsigned char *)(request + 1);
    atomic_init(&request->references, 2);
    request->signer = signer;
    request->what = *what;
    (void)snprintf(request->digest_name, sizeof request->digest_name, "%s", what->digest_name);
    request->what.digest_name = request->digest_name;
    memcpy(bytes, what->message, what->message_size);
    request->what.message = bytes;
    bytes += what->message_size;
    if (what->digest != NULL) {
        memcpy(bytes, what->digest, what->digest_size);
        request->what.digest = bytes;
        bytes += what->digest_size;
    }
    request->signature = bytes;
    request->room = room;
    return request;
}

static void request_unref(cinch_signature_request *request)
{
    if (atomic_fetch_sub(&request->references, 1) != 1)
        return;
    /* A wrong signature stays here. */
    OPENSSL_cleanse(request->signature, request->room);
    (void)pthread_mutex_destroy(&request->lock);
    (void)pthread_cond_destroy(&request->answer);
    cinch_release(request);
}

/* ---- the program's side ---- */

/* Ends the program's part in REQUEST, for good. */
static void settle(cinch_signature_request *request, cinch_status status, const void *signature,
                   size_t size, const char *reason)
{
    pthread_mutex_lock(&request->lock);
    request->status = status;
    request->size = size;
    if (signature != NULL && size <= request->room)
        memcpy(request->signature, signature, size);
    (void)snprintf(request->reason, sizeof request->reason, "%s", reason == NULL ? "" : reason);
    request->answered = 1;
    pthread_cond_broadcast(&request->answer);
    pthread_mutex_unlock(&request->lock);
    request_unref(request);
}

cinch_status cinch_signature_answer(cinch_signature_request *request, const void *signature,
                                    size_t size, cinch_error *err)
{
    cinch_status told = CINCH_OK, status = CINCH_OK;

    if (!cinch_enter(err))
        told = status = CINCH_FAILED;
    else if (request == NULL || signature == NULL)
        told = status = cinch_fail_null(err, request == NULL ? "request" : "signature");
    else if (size == 0 || size > request->room)
        /* The connection says the same, as it does of a callback that signs. */
        status = cinch_fail(err, CINCH_CAUSE_MISUSE,
                            "a signature of %zu bytes was given where 1 to %zu can be right", size,
                            request->room);
    if (request != NULL)
        settle(request, told, signature, size, "");
    return status;
}

void cinch_signature_refuse(cinch_signature_request *request, const char *reason)
{
    if (request != NULL)
        settle(request, CINCH_FAILED, NULL, 0, reason);
}

/* ---- the connection's side ---- */

void cinch_request_put(cinch_signature_request *request)
{
    request->signer->later(&request->what, request, request->signer->arg);
}

int cinch_request_answered(cinch_signature_request *request)
{
    pthread_mutex_lock(&request->lock);
    int answered = request->answered;
    pthread_mutex_unlock(&request->lock);
    return answered;
}

int cinch_request_wait(cinch_signature_request *request, int64_t deadline)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000),
                                   .tv_nsec = (long)(deadline % 1000000) * 1000};
    int result = 0;

    pthread_mutex_lock(&request->lock);
    while (!request->answered && result == 0)
        result = deadline == INT64_MAX
                     ? pthread_cond_wait(&request->answer, &request->lock)
                     : pthread_cond_timedwait(&request->answer, &request->lock, &until);
    int answered = request->answered;
    pthread_mutex_unlock(&request->lock);
    return answered;
}

/* What the program said. It is all over with the request then. */
static cinch_status take(cinch_signature_request *request, unsigned char *signature, size_t *size,
                         char *reason, size_t reason_size)
{
    pthread_mutex_lock(&request->lock);
    cinch_status status = request->answered ? request->status : CINCH_FAILED;
    *size = request->size;
    if (status == CINCH_OK && request->size <= request->room)
        memcpy(signature, request->signature, request->size);
    (void)snprintf(reason, reason_size, "%s", request->reason);
    pthread_mutex_unlock(&request->lock);
    request_unref(request);
    return status;
}

/*
 * Not on a fiber: the connection is older than the identity, or is not one of ours. An answer at once
 * will do.
 */
static cinch_status ask_here(cinch_signature_request *request, cinch_error *report)
{
    ERR_set_mark();
    cinch_request_put(request);
    ERR_pop_to_mark();
    if (cinch_request_answered(request))
        return CINCH_OK;
    (void)cinch_fail(report, CINCH_CAUSE_SIGNER,
                     "the signer does not answer at once, and this connection cannot wait for it");
    cinch_fail_remedy(report,
                      "make identities with signers that answer later before the connections "
                      "that use them");
    return CINCH_FAILED;
}

cinch_status cinch_signer_ask_later(const cinch_signer *signer, cinch_signer_turn *turn,
                                    const cinch_signing *what, unsigned char *signature,
                                    size_t *size, char *reason, size_t reason_size)
{
    cinch_signature_request *request = request_new(signer, what, *size);

    if (request == NULL)
        return cinch_fail_memory(turn == NULL ? NULL : turn->report, "asking for a signature");
    if (turn == NULL || turn->fiber == NULL) {
        (void)ask_here(request, turn == NULL ? NULL : turn->report);
        return take(request, signature, size, reason, reason_size);
    }
    turn->asks = request;
    cinch_fiber_pause(turn->fiber);
    /* Perhaps on another thread, and perhaps only to be told that the connection was given up. */
    turn->asks = NULL;
    return take(request, signature, size, reason, reason_size);
}
