/*
 * OpenSSL's engines, deprecated since 3.0 in favour of providers: Debian 12 has an engine for PKCS #11 tokens
 * (libengine-pkcs11-openssl) and no provider, so that without them no key in a token could sign.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>

#include "payload/key-engine.h"

#define ENGINE_SCHEME "pkcs11:"
#define ENGINE_NAME   "pkcs11"

static int engine_start(ENGINE **ret)
{
        ENGINE *engine;

        ENGINE_load_dynamic();
        engine = ENGINE_by_id(ENGINE_NAME);
        if (!engine)
                return -ENOPKG;
        if (ENGINE_init(engine) != 1) {
                (void)ENGINE_free(engine); /* it was never begun */
                return -ENOPKG;
        }

        *ret = engine;
        return 0;
}

int engine_load_key(const char *uri, bool private, EVP_PKEY **ret)
{
        ENGINE *engine;
        EVP_PKEY *pkey;
        int r;

        if (strncasecmp(uri, ENGINE_SCHEME, strlen(ENGINE_SCHEME)) != 0)
                return -ENOPKG;
        r = engine_start(&engine);
        if (r < 0)
                return r;

        pkey = private ? ENGINE_load_private_key(engine, uri, NULL, NULL)
                       : ENGINE_load_public_key(engine, uri, NULL, NULL);
        (void)ENGINE_finish(engine); /* the key holds references of its own */
        (void)ENGINE_free(engine);

        *ret = pkey;
        return pkey ? 0 : -EBADMSG;
}
