/* der.h: what the index needs to know of a certificate, found without parsing it. */
#ifndef CINCH_TRUST_DER_H
#define CINCH_TRUST_DER_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

/* Where the parts are. The pointers lead into the bytes that were looked at. */
typedef struct cinch_der_certificate {
    size_t size; /* of the certificate; what follows it is not looked at */
    const unsigned char *subject;
    size_t subject_size;
} cinch_der_certificate;

/*
 * cinch_der_walk reads the outline of the certificate (RFC 5280, 4.1) that SIZE bytes at DER start
 * with: 1, or 0 if there is none.
 */
int cinch_der_walk(const unsigned char *der, size_t size, cinch_der_certificate *found);

/* cinch_der_element gives the size of the element that SIZE bytes start with; 0 if it is cut off. */
size_t cinch_der_element(const unsigned char *der, size_t size, unsigned char *tag);

/*
 * The loose key of a name: equal for all names that X509_NAME_cmp() may call equal, and for few
 * others. That comparison (RFC 5280, 7.1, roughly) ignores the type of a string, the case of ASCII
 * letters, the spaces around and the number of the spaces within, and the order inside an RDN. So
 * the key is a sum over the attributes of a hash of the type and of the ASCII letters and digits.
 *
 * cinch_der_name_key reads the name from DER: 1, 0 if it is no name, -1 when memory runs out.
 */
int cinch_der_name_key(const unsigned char *der, size_t size, uint64_t *key);
uint64_t cinch_name_key(const X509_NAME *name);

#endif
