#include <openssl/evp.h>

#include "payload/digest.h"

struct Digest {
        EVP_MD_CTX *context;
};

Digest *digest_free(Digest *digest)
{
        if (!digest)
                return NULL;

        EVP_MD_CTX_free(digest->context);
        free(digest);
        return NULL;
}

int digest_new(Digest **ret)
{
        _cleanup_(digest_free_p) Digest *digest = calloc(1, sizeof(*digest));

        if (!digest)
                return -ENOMEM;

        digest->context = EVP_MD_CTX_new();
        if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;

        *ret = TAKE_PTR(digest);
        return 0;
}

int digest_update(Digest *digest, const void *data, size_t size)
{
        return EVP_DigestUpdate(digest->context, data, size) == 1 ? 0 : -EIO;
}

int digest_clone(const Digest *digest, Digest **ret)
{
        _cleanup_(digest_free_p) Digest *copy = NULL;
        int r;

        r = digest_new(&copy);
        if (r < 0)
                return r;
        if (EVP_MD_CTX_copy_ex(copy->context, digest->context) != 1)
                return -EIO;

        *ret = TAKE_PTR(copy);
        return 0;
}

int digest_peek(const Digest *digest, uint8_t ret[static SHA256_SIZE])
{
        _cleanup_(digest_free_p) Digest *copy = NULL;
        int r;

        r = digest_clone(digest, &copy);
        if (r < 0)
                return r;

        return EVP_DigestFinal_ex(copy->context, ret, NULL) == 1 ? 0 : -EIO;
}

int digest_of(const void *data, size_t size, uint8_t ret[static SHA256_SIZE])
{
        return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}
