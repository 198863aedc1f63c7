/* none.c: in the place of ciphers.c where libcinch was built without libipsec-mb. */
#include "accel/ciphers.h"

#include <stdio.h>

cinch_ciphers_outcome cinch_ciphers_load(char *text, size_t size)
{
    (void)snprintf(text, size, "OpenSSL's own: built without libipsec-mb");
    return CINCH_CIPHERS_NONE;
}

const OSSL_ALGORITHM *cinch_ciphers(void)
{
    return NULL;
}
