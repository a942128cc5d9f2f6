#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "payload/digest.h"
#include "payload/key-engine.h"
#include "payload/keys.h"

typedef struct PublicKey {
        EVP_PKEY *pkey;
        uint8_t id[SHA256_SIZE];
        char *description;
} PublicKey;

struct PayloadKeys {
        PublicKey *items;
        size_t n_items;
};

struct PrivateKey {
        EVP_PKEY *pkey;
};

int payload_keys_new(PayloadKeys **ret)
{
        PayloadKeys *keys = calloc(1, sizeof(*keys));

        if (!keys)
                return -ENOMEM;

        *ret = keys;
        return 0;
}

PayloadKeys *payload_keys_free(PayloadKeys *keys)
{
        if (!keys)
                return NULL;

        for (size_t i = 0; i < keys->n_items; i++) {
                EVP_PKEY_free(keys->items[i].pkey);
                free(keys->items[i].description);
        }
        free(keys->items);
        free(keys);
        return NULL;
}

size_t payload_keys_count(const PayloadKeys *keys)
{
        return keys->n_items;
}

const char *keys_describe(const PayloadKeys *keys, size_t index)
{
        return keys->items[index].description;
}

/* What kinds of keys there are, and how each signs the 32 bytes of a SHA-256. */
typedef enum KeyKind {
        KEY_RSA,     /* RSASSA-PKCS1-v1_5 */
        KEY_ECDSA,   /* P-256 */
        KEY_ED25519, /* the SHA-256 is the message */
        KEY_NONE,    /* nothing that we accept */
} KeyKind;

/* Strong enough, and not so large that one check takes seconds. */
static KeyKind pkey_kind(const EVP_PKEY *pkey)
{
        int bits = EVP_PKEY_get_bits(pkey);
        char group[32];

        if (EVP_PKEY_is_a(pkey, "RSA"))
                return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? KEY_RSA : KEY_NONE;
        if (EVP_PKEY_is_a(pkey, "ED25519"))
                return KEY_ED25519;
        if (EVP_PKEY_is_a(pkey, "EC")
            && EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1
            && streq(group, "prime256v1"))
                return KEY_ECDSA;
        return KEY_NONE;
}

/* For private keys too. -EBADMSG: it does not tell its public half. */
static int pkey_id(const EVP_PKEY *pkey, uint8_t ret[static SHA256_SIZE])
{
        uint8_t *der = NULL;
        int size = i2d_PUBKEY(pkey, &der), r;

        if (size < 0)
                return -EBADMSG;
        r = digest_of(der, (size_t)size, ret);
        OPENSSL_free(der);
        return r;
}

static int key_describe(const uint8_t sha256[static SHA256_SIZE], const char *source, char **ret)
{
        _cleanup_free_ char *id = NULL;
        int r;

        r = hex_encode(sha256, KEY_ID_SHOWN, &id);
        if (r < 0)
                return r;
        return text_format(ret, "%s%s%s%s", id, source ? " (" : "", source ? source : "",
                           source ? ")" : "");
}

static int keys_append(PayloadKeys *keys, EVP_PKEY *pkey, const char *source)
{
        _cleanup_free_ char *description = NULL;
        uint8_t id[SHA256_SIZE];
        PublicKey *items;
        int r;

        r = pkey_id(pkey, id);
        if (r >= 0)
                r = key_describe(id, source, &description);
        if (r < 0)
                return r;
        items = reallocarray(keys->items, keys->n_items + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        if (EVP_PKEY_up_ref(pkey) != 1)
                return -ENOMEM;

        keys->items = items;
        keys->items[keys->n_items++] = (PublicKey) {
                .pkey = pkey,
                .description = TAKE_PTR(description),
        };
        memcpy(keys->items[keys->n_items - 1].id, id, SHA256_SIZE);
        return 0;
}

static bool keys_have(const PayloadKeys *keys, const EVP_PKEY *pkey)
{
        for (size_t i = 0; i < keys->n_items; i++)
                if (EVP_PKEY_eq(keys->items[i].pkey, pkey) == 1)
                        return true;

        return false;
}

/* The same key twice would count twice where two keys must have signed. Takes pkey over. */
static int keys_add_pkey(PayloadKeys *keys, EVP_PKEY *pkey, const char *source)
{
        int r = pkey_kind(pkey) == KEY_NONE ? -EKEYREJECTED
                : keys_have(keys, pkey)     ? 0
                                            : keys_append(keys, pkey, source);

        EVP_PKEY_free(pkey);
        return r;
}

static int keys_add(PayloadKeys *keys, const char *pem, size_t size, const char *source)
{
        EVP_PKEY *pkey;
        BIO *bio;

        if (size > KEY_FILE_MAX)
                return -EBADMSG;
        bio = BIO_new_mem_buf(pem, (int)size);
        if (!bio)
                return -ENOMEM;
        pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
        if (!pkey)
                return -EBADMSG;

        return keys_add_pkey(keys, pkey, source);
}

int payload_keys_add_pem(PayloadKeys *keys, const char *pem, size_t size)
{
        return keys_add(keys, pem, size, NULL);
}

int payload_keys_add_file(PayloadKeys *keys, const char *path)
{
        _cleanup_free_ char *pem = NULL;
        size_t size;
        int r;

        r = file_read(NULL, path, KEY_FILE_MAX, &pem, &size);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;

        return keys_add(keys, pem, size, path);
}

bool key_is_uri(const char *text)
{
        size_t n =
                strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

        return n > 1 && text[n] == ':' && access(text, F_OK) < 0;
}

/* The first object of that type, OSSL_STORE_INFO_PKEY or _PUBKEY, behind a URI. */
static int store_load(const char *uri, int type, EVP_PKEY **ret)
{
        OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
        EVP_PKEY *pkey = NULL;

        if (!store)
                return -ENOPKG;
        if (OSSL_STORE_expect(store, type) != 1) {
                (void)OSSL_STORE_close(store); /* nothing was read from it */
                return -EBADMSG;
        }

        while (!pkey && !OSSL_STORE_eof(store)) {
                OSSL_STORE_INFO *info = OSSL_STORE_load(store);

                if (info && OSSL_STORE_INFO_get_type(info) == type)
                        pkey = type == OSSL_STORE_INFO_PKEY ? OSSL_STORE_INFO_get1_PKEY(info)
                                                            : OSSL_STORE_INFO_get1_PUBKEY(info);
                OSSL_STORE_INFO_free(info);
                if (!info && OSSL_STORE_error(store))
                        break;
        }
        (void)OSSL_STORE_close(store); /* only read from */

        *ret = pkey;
        return pkey ? 0 : -EBADMSG;
}

static int uri_load(const char *uri, int type, EVP_PKEY **ret)
{
        int r = store_load(uri, type, ret);

        return r == -ENOPKG ? engine_load_key(uri, type == OSSL_STORE_INFO_PKEY, ret) : r;
}

int keys_add_uri(PayloadKeys *keys, const char *uri)
{
        EVP_PKEY *pkey;
        int r;

        r = uri_load(uri, OSSL_STORE_INFO_PUBKEY, &pkey);
        if (r < 0)
                return r;

        return keys_add_pkey(keys, pkey, uri);
}

int payload_keys_add_directory(PayloadKeys *keys, const char *path)
{
        _cleanup_close_ int fd = RET_ERRNO(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        _cleanup_(text_list_done) TextList names = {};
        int r = fd < 0 ? fd : directory_names(fd, "*.pem", &names);

        for (size_t i = 0; i < names.n_items && r >= 0; i++) {
                _cleanup_free_ char *file = NULL;

                r = text_format(&file, "%s/%s", path, names.items[i]);
                if (r >= 0)
                        r = payload_keys_add_file(keys, file);
        }
        return r;
}

static bool pkey_verify_message(EVP_PKEY *pkey, const uint8_t *sha256, const Signature *signature)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool good;

        good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1
               && EVP_DigestVerify(context, signature->data, signature->size, sha256, SHA256_SIZE)
                          == 1;
        EVP_MD_CTX_free(context);
        return good;
}

static bool pkey_verify_digest(EVP_PKEY *pkey, const uint8_t *sha256, const Signature *signature)
{
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
        bool good;

        good = context && EVP_PKEY_verify_init(context) == 1
               && (pkey_kind(pkey) != KEY_RSA
                   || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
               && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
               && EVP_PKEY_verify(context, signature->data, signature->size, sha256, SHA256_SIZE)
                          == 1;
        EVP_PKEY_CTX_free(context);
        return good;
}

int keys_verify(const PayloadKeys *keys, uint64_t version, const uint8_t sha256[static SHA256_SIZE],
                const Signature *signature)
{
        for (size_t i = 0; i < keys->n_items; i++) {
                EVP_PKEY *pkey = keys->items[i].pkey;
                KeyKind kind = pkey_kind(pkey);

                if (version == HEADER_VERSION_1 && kind != KEY_RSA)
                        continue;
                if (signature->has_key_id
                    && memcmp(signature->key_id, keys->items[i].id, SHA256_SIZE) != 0)
                        continue;
                if (kind == KEY_ED25519 ? pkey_verify_message(pkey, sha256, signature)
                                        : pkey_verify_digest(pkey, sha256, signature))
                        return (int)i;
        }

        return -ENOKEY;
}

PrivateKey *private_key_free(PrivateKey *key)
{
        if (!key)
                return NULL;

        EVP_PKEY_free(key->pkey);
        free(key);
        return NULL;
}

static int pem_load(const char *path, EVP_PKEY **ret)
{
        _cleanup_free_ char *pem = NULL;
        size_t size;
        BIO *bio;
        int r;

        r = file_read(NULL, path, KEY_FILE_MAX, &pem, &size);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;
        bio = BIO_new_mem_buf(pem, (int)size);
        if (!bio)
                return -ENOMEM;

        *ret = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        explicit_bzero(pem, size);
        return *ret ? 0 : -EBADMSG;
}

int private_key_load(const char *path, PrivateKey **ret)
{
        _cleanup_(private_key_free_p) PrivateKey *key = calloc(1, sizeof(*key));
        int r;

        if (!key)
                return -ENOMEM;
        r = key_is_uri(path) ? uri_load(path, OSSL_STORE_INFO_PKEY, &key->pkey)
                             : pem_load(path, &key->pkey);
        if (r < 0)
                return r;
        if (pkey_kind(key->pkey) == KEY_NONE)
                return -EKEYREJECTED;

        *ret = TAKE_PTR(key);
        return 0;
}

bool private_key_is_rsa(const PrivateKey *key)
{
        return pkey_kind(key->pkey) == KEY_RSA;
}

void private_key_signature_begin(const PrivateKey *key, Signature *ret)
{
        ret->has_key_id = pkey_id(key->pkey, ret->key_id) >= 0;
        ret->size = (size_t)EVP_PKEY_get_size(key->pkey);
        ret->padded_size = pkey_kind(key->pkey) == KEY_ECDSA ? ret->size : 0;
}

static bool pkey_sign_message(EVP_PKEY *pkey, const uint8_t *sha256, uint8_t *output, size_t *size)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool good;

        good = context && EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1
               && EVP_DigestSign(context, output, size, sha256, SHA256_SIZE) == 1;
        EVP_MD_CTX_free(context);
        return good;
}

static bool pkey_sign_digest(EVP_PKEY *pkey, const uint8_t *sha256, uint8_t *output, size_t *size)
{
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
        bool good;

        good = context && EVP_PKEY_sign_init(context) == 1
               && (pkey_kind(pkey) != KEY_RSA
                   || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
               && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
               && EVP_PKEY_sign(context, output, size, sha256, SHA256_SIZE) == 1;
        EVP_PKEY_CTX_free(context);
        return good;
}

int private_key_sign(const PrivateKey *key, const uint8_t sha256[static SHA256_SIZE],
                     Signature *ret)
{
        size_t size = sizeof(ret->data);
        bool good;

        private_key_signature_begin(key, ret);
        memset(ret->data, 0, sizeof(ret->data));
        good = pkey_kind(key->pkey) == KEY_ED25519
                       ? pkey_sign_message(key->pkey, sha256, ret->data, &size)
                       : pkey_sign_digest(key->pkey, sha256, ret->data, &size);
        if (!good)
                return -EIO;

        ret->size = size;
        return 0;
}
