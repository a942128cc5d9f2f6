#include <limits.h>

#include <openssl/evp.h>

#include "cloud-config/base64.h"

static void context_done(EVP_ENCODE_CTX **context)
{
        EVP_ENCODE_CTX_free(*context);
}

int base64_decode(const char *text, size_t size, char **ret, size_t *ret_size)
{
        _cleanup_(context_done) EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
        _cleanup_free_ char *decoded = malloc(size + 1); /* never longer than the text */
        int n = 0, rest = 0;

        if (!decoded || !context)
                return -ENOMEM;
        if (size > INT_MAX)
                return -EFBIG;

        EVP_DecodeInit(context);
        if (EVP_DecodeUpdate(context, (unsigned char *)decoded, &n, (const unsigned char *)text,
                             (int)size)
                    < 0
            || EVP_DecodeFinal(context, (unsigned char *)decoded + n, &rest) < 0)
                return -EBADMSG;

        *ret_size = (size_t)(n + rest);
        decoded[*ret_size] = 0;
        *ret = TAKE_PTR(decoded);
        return 0;
}
