/* none.c: in the place of the others where libcinch was built without libipsec-mb. */
#include "accel/accel.h"

#include "base/openssl.h"

#include <cinch/version.h>

SSL_CTX *cinch_accel_ssl_ctx(const SSL_METHOD *method)
{
    return SSL_CTX_new_ex(cinch_library_context(), NULL, method);
}

const char *cinch_accel_name(const SSL *ssl)
{
    (void)ssl;
    return "";
}

EVP_CIPHER *cinch_accel_fetch(const char *name)
{
    (void)name;
    return NULL;
}

const char *cinch_version_accel(void)
{
    return "OpenSSL's own: built without libipsec-mb";
}
