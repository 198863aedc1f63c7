/* alloc_refuse.c: apart from alloc.c, for tests whose allocations fail in ways of their own. */
#include "alloc.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

void *alloc_refuse(const void *old, const char *file, int line)
{
#if OPENSSL_VERSION_PREREQ(3, 2)
    if (old == NULL && file != NULL) {
        ERR_new();
        ERR_set_debug(file, line, NULL);
        ERR_set_error(ERR_LIB_CRYPTO, ERR_R_MALLOC_FAILURE, NULL);
    }
#else
    (void)old;
    (void)file;
    (void)line;
#endif
    return NULL;
}
