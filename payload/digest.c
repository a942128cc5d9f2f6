/*
 * The low-level interface of OpenSSL, deprecated since 3.0 in favour of EVP: EVP can copy the
 * state of a hash but not write it down, and a download that goes on after a crash needs that.
 * Both are the same assembler code; one piece, which needs no state, goes through EVP.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "payload/digest.h"

#define BYTE_BITS 8
#define WORD_BITS 32

struct Digest {
        SHA256_CTX context;
};

Digest *digest_free(Digest *digest)
{
        free(digest);
        return NULL;
}

int digest_new(Digest **ret)
{
        _cleanup_(digest_free_p) Digest *digest = calloc(1, sizeof(*digest));

        if (!digest)
                return -ENOMEM;
        if (SHA256_Init(&digest->context) != 1)
                return -EIO;

        *ret = TAKE_PTR(digest);
        return 0;
}

int digest_update(Digest *digest, const void *data, size_t size)
{
        return SHA256_Update(&digest->context, data, size) == 1 ? 0 : -EIO;
}

int digest_clone(const Digest *digest, Digest **ret)
{
        Digest *copy = malloc(sizeof(*copy));

        if (!copy)
                return -ENOMEM;

        *copy = *digest;
        *ret = copy;
        return 0;
}

void digest_save(const Digest *digest, DigestState *ret)
{
        const SHA256_CTX *context = &digest->context;
        uint64_t bits = (uint64_t)context->Nh << WORD_BITS | context->Nl;

        *ret = (DigestState) { .bytes = bits / BYTE_BITS };
        for (size_t i = 0; i < SHA256_WORDS; i++)
                ret->words[i] = context->h[i];
        memcpy(ret->rest, context->data, ret->bytes % SHA256_BLOCK_SIZE);
}

void digest_restore(Digest *digest, const DigestState *state)
{
        SHA256_CTX *context = &digest->context;
        uint64_t bits = state->bytes * BYTE_BITS;

        context->Nh = (SHA_LONG)(bits >> WORD_BITS);
        context->Nl = (SHA_LONG)bits;
        context->num = (unsigned)(state->bytes % SHA256_BLOCK_SIZE);
        for (size_t i = 0; i < SHA256_WORDS; i++)
                context->h[i] = state->words[i];
        memcpy(context->data, state->rest, sizeof(state->rest));
}

int digest_peek(const Digest *digest, uint8_t ret[static SHA256_SIZE])
{
        SHA256_CTX copy = digest->context;

        return SHA256_Final(ret, &copy) == 1 ? 0 : -EIO;
}

int digest_of(const void *data, size_t size, uint8_t ret[static SHA256_SIZE])
{
        return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}
