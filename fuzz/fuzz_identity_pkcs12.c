/* Any bytes as PKCS#12, without a password and with the one that the corpus was made with. */
#include <cinch/identity.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;

    cinch_identity_free(cinch_identity_pkcs12(data, size, NULL, &err));
    cinch_error_clear(&err);
    cinch_identity_free(cinch_identity_pkcs12(data, size, "secret", &err));
    return 0;
}
