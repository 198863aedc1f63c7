/*
 * watch.h: how does a renewed certificate get into use while the program runs?
 *
 * A watch is a thread that looks after files. When their content changes, it reads them and gives
 * them to a context. That is all or nothing: what cannot be used (half written, a key that does not
 * belong to the certificate, a wrong password, too weak for the policy) is refused with the reason,
 * and what was in force before stays in force. Connections in progress keep what they were made
 * with.
 *
 *   - It is the content that counts. A file may be written in place, renamed into place, or reached
 *     through symbolic links that are switched over, as certbot and Kubernetes do; touching a file
 *     does nothing. The directories of the file and of every symbolic link on the way are watched.
 *     A change is taken when it has been quiet for a tenth of a second, after one second at most.
 *   - Where the system does not report changes (network file systems) they are found by looking: at
 *     every interval, five seconds if nothing is set.
 *   - What was refused is tried again when it changes, and at intervals that grow up to five
 *     minutes: the reason may lie elsewhere.
 *
 * Threads: every call may come from any thread, but for cinch_watch_free(), which is the last one.
 * The watch's thread has all signals blocked. A watch is of no use in a forked child.
 */
#ifndef CINCH_WATCH_H
#define CINCH_WATCH_H

#include <cinch/identity.h>

CINCH_BEGIN_DECLS

typedef struct cinch_watch cinch_watch;

/*
 * cinch_watch_callback is told what became of a change; it may log it. PATH is what was given to the
 * call that began the watching, of an identity the file with the certificate. STATUS is CINCH_OK
 * when the new content is in force, also when what was in force can be read again after a failure;
 * else CINCH_FAILED, and ERR says why not. The same reason is told once, and again if the content
 * changes or cinch_watch_now() asks. Called on the watch's thread, one call at a time; PATH and ERR
 * are valid during the call. It may call everything but cinch_watch_now().
 */
typedef void (*cinch_watch_callback)(const char *path, cinch_status status, const cinch_error *err,
                                     void *arg);

/*
 * cinch_watch_new starts a watch that has nothing to do yet. CALLBACK may be NULL: then nobody hears
 * what is refused. Returns NULL and sets ERR on failure; free it with cinch_watch_free().
 */
CINCH_API cinch_watch *cinch_watch_new(cinch_watch_callback callback, void *arg, cinch_error *err);

/*
 * cinch_watch_free ends the thread, after the callback that may be running, and the watching. Within
 * the callback it ends when the callback returns. NULL is fine.
 */
CINCH_API void cinch_watch_free(cinch_watch *watch);

/*
 * cinch_watch_interval sets how often files are looked at although nothing was reported: 10 to
 * 86,400,000 milliseconds.
 */
CINCH_API cinch_status cinch_watch_interval(cinch_watch *watch, int milliseconds, cinch_error *err);

/*
 * cinch_watch_identity loads the identity that SOURCE names, gives it to CTX as
 * cinch_context_identity() does, and does so again whenever one of its files changes. SOURCE is
 * copied, the password into locked memory; it names files only: `file`, `file` and `key_file`, or
 * `pkcs12_file`. Its `ask` is called on the watch's thread later on, where nobody may be there to
 * type. Of two files that are replaced one after the other the first alone is refused. On failure
 * nothing changes and nothing is watched. WATCH keeps CTX alive.
 */
CINCH_API cinch_status cinch_watch_identity(cinch_watch *watch, cinch_context *ctx,
                                            const cinch_identity_source *source, cinch_error *err);

/*
 * cinch_watch_add_identity does the same for an identity beside others, as cinch_context_add_identity()
 * adds it (host.h). When one of its files changes, the new one takes the place of exactly the one that
 * this call added: for its own names, which may be others than before, with what else is said of
 * them. A name that another identity with the same kind of key has taken over meanwhile stays with
 * that. Call it once for each.
 */
CINCH_API cinch_status cinch_watch_add_identity(cinch_watch *watch, cinch_context *ctx,
                                                const cinch_identity_source *source,
                                                cinch_error *err);

/*
 * cinch_watch_load takes over the content of a file: SIZE bytes, ended by a NUL that does not count,
 * valid during the call and wiped after it. What it returns is the answer: anything but CINCH_OK
 * refuses it, with the reason that libcinch's calls left in ERR.
 */
typedef cinch_status (*cinch_watch_load)(const char *path, const char *bytes, size_t size,
                                         void *arg, cinch_error *err);

/*
 * cinch_watch_file has LOAD take over the content of the file PATH: now, on this thread, and on the
 * watch's whenever it changes. For what no other call knows, such as a policy. If LOAD refuses now,
 * this call fails with its reason and nothing is watched.
 */
CINCH_API cinch_status cinch_watch_file(cinch_watch *watch, const char *path, cinch_watch_load load,
                                        void *arg, cinch_error *err);

/*
 * cinch_watch_trust_file tells the callback about changes of a file of trust anchors. Contexts read
 * it again by themselves (trust.h), within a second, and pass over one that they cannot use; this
 * says so, and why.
 */
CINCH_API cinch_status cinch_watch_trust_file(cinch_watch *watch, const char *path,
                                              cinch_error *err);

/* cinch_watch_crl_file does the same for a file of revocation lists (revocation.h). */
CINCH_API cinch_status cinch_watch_crl_file(cinch_watch *watch, const char *path, cinch_error *err);

/*
 * cinch_watch_now looks at everything now and returns when the changes have been taken or refused:
 * for a program that is told so, by SIGHUP say. *CHANGED, if CHANGED is not NULL, is set to how many
 * were taken. That something was refused is for the callback, not a failure of this call.
 */
CINCH_API cinch_status cinch_watch_now(cinch_watch *watch, size_t *changed, cinch_error *err);

CINCH_END_DECLS

#endif
