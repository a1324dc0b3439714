/* Checks a Gatehouse release manifest with two public keys, without a network.
 *
 *     cc -O2 -Wall -Wextra -o verify verify.c -lcrypto
 *     ./verify PROJECT_ID PROJECT_NAME PROJECT.pem COSIGNER.pem MANIFEST
 *              [--hardware CHIP] [--version RUNS] [--counter N] [--seen JTI]... [--image FILE] [--now S]
 *
 * Prints what is signed and exits with 0, or prints `refused: CODE` and exits with 1.
 * Each PEM file holds a key, or two while one is changed for the other.
 * Needs OpenSSL 3 (libssl-dev). What each step is for stands in manifest.md.
 *
 * Every check answers NULL, or the code of what it refuses. Nothing is allocated but by OpenSSL, and
 * every text has a fixed room: what does not fit is refused.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum {
    MAX_MANIFEST_BYTES = 16 * 1024,
    MAX_LIFETIME_S = 3600,
    EXPIRY_LEEWAY_S = 3,
    CLOCK_LEEWAY_S = 120,
    MAX_SIGNATURES = 8,
    MAX_SEEN = 64,
    MAX_KEYS = 4,
    MAX_DEPTH = 32,
    SIGNATURE_BYTES = 64,
    KID_ROOM = 128,
};

/* A text with its length: JSON may hold NUL bytes. */
struct text {
    const char *at;
    size_t length;
};

static bool is(struct text text, const char *other)
{
    return text.length == strlen(other) && memcmp(text.at, other, text.length) == 0;
}

static bool is_same(struct text one, struct text other)
{
    return one.length == other.length && memcmp(one.at, other.at, one.length) == 0;
}

static struct text of(const char *text)
{
    return (struct text){text, strlen(text)};
}

/* Whether these bytes are UTF-8 in its shortest spelling and without surrogates. */
static bool is_utf8(const unsigned char *at, size_t length)
{
    const unsigned char *end = at + length;
    while (at < end) {
        unsigned char head = *at++;
        int more = head < 0x80                   ? 0
                   : head >= 0xC2 && head < 0xE0 ? 1
                   : (head & 0xF0) == 0xE0       ? 2
                   : head >= 0xF0 && head < 0xF5 ? 3
                                                 : -1;
        if (more < 0 || end - at < more)
            return false;
        bool is_off = (head == 0xE0 && *at < 0xA0) || (head == 0xED && *at > 0x9F) ||
                      (head == 0xF0 && *at < 0x90) || (head == 0xF4 && *at > 0x8F);
        for (; more > 0; more--)
            is_off |= (*at++ & 0xC0) != 0x80;
        if (is_off)
            return false;
    }
    return true;
}

/* ---- JSON: a reader that steps from value to value and copies only texts ---- */

struct json {
    const char *at, *end;
    char *room, *room_end; /* where texts go after their escapes were resolved */
    int depth;
};

static char peek(struct json *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
    return in->at < in->end ? *in->at : '\0';
}

static bool take(struct json *in, char wanted)
{
    if (peek(in) != wanted || in->at == in->end)
        return false;
    in->at++;
    return true;
}

static bool take_word(struct json *in, const char *word)
{
    size_t length = strlen(word);
    if (peek(in) != word[0] || (size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

static bool hex4(struct json *in, uint32_t *unit)
{
    if (in->end - in->at < 4)
        return false;
    *unit = 0;
    for (int digit = 0; digit < 4; digit++) {
        char c = *in->at++;
        uint32_t value = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (value == 16)
            return false;
        *unit = *unit * 16 + value;
    }
    return true;
}

static bool put(struct json *in, uint32_t byte)
{
    if (in->room == in->room_end)
        return false;
    *in->room++ = (char)byte;
    return true;
}

/* Writes the character of a \u escape, which may need a second one, as UTF-8. */
static bool put_escaped(struct json *in)
{
    uint32_t point, low;
    if (!hex4(in, &point) || (point >= 0xDC00 && point <= 0xDFFF))
        return false;
    if (point >= 0xD800 && point <= 0xDBFF) {
        if (in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u')
            return false;
        in->at += 2;
        if (!hex4(in, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point < 0x80)
        return put(in, point);
    if (point < 0x800)
        return put(in, 0xC0 | point >> 6) && put(in, 0x80 | (point & 0x3F));
    if (point < 0x10000)
        return put(in, 0xE0 | point >> 12) && put(in, 0x80 | (point >> 6 & 0x3F)) && put(in, 0x80 | (point & 0x3F));
    return put(in, 0xF0 | point >> 18) && put(in, 0x80 | (point >> 12 & 0x3F)) &&
           put(in, 0x80 | (point >> 6 & 0x3F)) && put(in, 0x80 | (point & 0x3F));
}

static bool read_text(struct json *in, struct text *text)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (!take(in, '"'))
        return false;
    text->at = in->room;
    while (in->at < in->end) {
        unsigned char c = (unsigned char)*in->at++;
        if (c == '"') {
            text->length = (size_t)(in->room - text->at);
            return true;
        }
        if (c < 0x20)
            return false;
        if (c != '\\') {
            if (!put(in, c))
                return false;
            continue;
        }
        if (in->at == in->end)
            return false;
        c = (unsigned char)*in->at++;
        const char *escape = c ? strchr(escapes, c) : NULL;
        if (c == 'u' ? !put_escaped(in) : !escape || !put(in, (unsigned char)meant[escape - escapes]))
            return false;
    }
    return false;
}

static bool digits(struct json *in)
{
    const char *first = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > first;
}

static bool skip_number(struct json *in)
{
    if (*in->at == '-')
        in->at++;
    bool starts_with_zero = in->at < in->end && *in->at == '0';
    const char *first = in->at;
    if (!digits(in) || (starts_with_zero && in->at - first > 1))
        return false;
    if (in->at < in->end && *in->at == '.') {
        in->at++;
        if (!digits(in))
            return false;
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
            in->at++;
        return digits(in);
    }
    return true;
}

/* Opens an object or a list; `first` then tells next_item that no comma is due. */
static bool open_group(struct json *in, char bracket, bool *first)
{
    *first = true;
    return take(in, bracket) && ++in->depth <= MAX_DEPTH;
}

/* 1: another item begins; 0: the group was closed; -1: broken. */
static int next_item(struct json *in, char bracket, bool *first)
{
    if (take(in, bracket)) {
        in->depth--;
        return 0;
    }
    if (!*first && !take(in, ','))
        return -1;
    *first = false;
    return 1;
}

static int next_member(struct json *in, bool *first, struct text *name)
{
    int item = next_item(in, '}', first);
    return item == 1 && !(read_text(in, name) && take(in, ':')) ? -1 : item;
}

static bool skip_value(struct json *in)
{
    struct text unread;
    bool first;
    int item;
    char kind = peek(in);
    if (kind == '"')
        return read_text(in, &unread);
    if (kind == '{') {
        if (!open_group(in, '{', &first))
            return false;
        while ((item = next_member(in, &first, &unread)) == 1)
            if (!skip_value(in))
                return false;
        return item == 0;
    }
    if (kind == '[') {
        if (!open_group(in, '[', &first))
            return false;
        while ((item = next_item(in, ']', &first)) == 1)
            if (!skip_value(in))
                return false;
        return item == 0;
    }
    if (kind == '-' || (kind >= '0' && kind <= '9'))
        return skip_number(in);
    return take_word(in, "true") || take_word(in, "false") || take_word(in, "null");
}

/* Reads a whole number from `least` to `most`, which lie within 64 bits. */
static bool read_whole(struct json *in, bool may_be_negative, uint64_t most, uint64_t *number, bool *is_negative)
{
    char copy[24];
    peek(in);
    const char *first = in->at;
    if (first == in->end || !skip_number(in) || (size_t)(in->at - first) >= sizeof copy)
        return false;
    size_t length = (size_t)(in->at - first);
    memcpy(copy, first, length);
    copy[length] = '\0';
    *is_negative = copy[0] == '-';
    if (strpbrk(copy, ".eE") || (*is_negative && !may_be_negative))
        return false;
    errno = 0;
    *number = strtoull(copy + *is_negative, NULL, 10);
    return errno == 0 && *number <= most;
}

static bool read_unsigned(struct json *in, uint64_t most, uint64_t *number)
{
    bool is_negative;
    return read_whole(in, false, most, number, &is_negative);
}

static bool read_time(struct json *in, int64_t *time_s)
{
    uint64_t number;
    bool is_negative;
    if (!read_whole(in, true, INT64_MAX, &number, &is_negative))
        return false;
    *time_s = is_negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* ---- base64url in its one canonical spelling ---- */

static bool decode(struct text text, unsigned char *bytes, size_t room, size_t *length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int pending = 0;
    *length = 0;
    if (text.length % 4 == 1)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const char *letter = text.at[i] ? strchr(alphabet, text.at[i]) : NULL;
        if (!letter)
            return false;
        bits = (bits << 6 | (uint32_t)(letter - alphabet)) & 0xFFFFFF;
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            if (*length == room)
                return false;
            bytes[(*length)++] = (unsigned char)(bits >> pending);
        }
    }
    return (bits & ((1u << pending) - 1)) == 0;
}

/* ---- the signed message ---- */

enum algorithm { UNKNOWN, ES256, EDDSA };

struct signature {
    enum algorithm algorithm;
    char kid_room[KID_ROOM];
    struct text kid, protected;
    unsigned char value[SIGNATURE_BYTES];
};

struct manifest {
    char room[MAX_MANIFEST_BYTES];
    struct text payload;
    struct signature signatures[MAX_SIGNATURES];
    int count;
};

/* Reads a member that is a text or null, once. */
static bool read_once(struct json *in, struct text *text, bool *seen)
{
    if (*seen)
        return false;
    *seen = true;
    return take_word(in, "null") || read_text(in, text);
}

static const char *read_header(struct signature *signature)
{
    unsigned char json[1024];
    char room[1024];
    size_t length;
    if (!decode(signature->protected, json, sizeof json, &length) || !is_utf8(json, length))
        return "malformed";
    struct json in = {(char *)json, (char *)json + length, room, room + sizeof room, 0};
    struct text typ = {0}, alg = {0}, kid = {0}, name;
    bool has_typ = false, has_alg = false, has_kid = false, first;
    int item;
    if (!open_group(&in, '{', &first))
        return "malformed";
    while ((item = next_member(&in, &first, &name)) == 1) {
        bool fits = is(name, "typ")    ? read_once(&in, &typ, &has_typ)
                    : is(name, "alg")  ? read_once(&in, &alg, &has_alg)
                    : is(name, "kid")  ? read_once(&in, &kid, &has_kid)
                    : is(name, "crit") ? take_word(&in, "null")
                                       : skip_value(&in);
        if (!fits)
            return "malformed";
    }
    if (item != 0 || peek(&in) != '\0' || in.at != in.end)
        return "malformed";
    signature->algorithm = !alg.at ? UNKNOWN : is(alg, "ES256") ? ES256 : is(alg, "EdDSA") ? EDDSA : UNKNOWN;
    if (signature->algorithm == UNKNOWN)
        return "unsupported_algorithm";
    if (!typ.at || !(is(typ, "JOSE+JSON") || is(typ, "JOSE") || is(typ, "JWT")))
        return "wrong_type";
    if (!kid.at || kid.length > sizeof signature->kid_room)
        return "malformed";
    memcpy(signature->kid_room, kid.at, kid.length);
    signature->kid = (struct text){signature->kid_room, kid.length};
    return NULL;
}

static bool read_signature_texts(struct json *in, struct text *protected, struct text *value)
{
    struct text name;
    bool first;
    int item;
    *protected = *value = (struct text){0};
    if (!open_group(in, '{', &first))
        return false;
    while ((item = next_member(in, &first, &name)) == 1) {
        struct text *place = is(name, "protected") ? protected : is(name, "signature") ? value : NULL;
        if (!place || place->at || !read_text(in, place))
            return false;
    }
    return item == 0 && protected->at && value->at;
}

static bool read_message(struct json *in, struct manifest *manifest, struct text *values)
{
    struct text name;
    bool first, first_signature, has_signatures = false;
    int item, signature;
    if (!open_group(in, '{', &first))
        return false;
    while ((item = next_member(in, &first, &name)) == 1) {
        if (is(name, "payload") && !manifest->payload.at) {
            if (!read_text(in, &manifest->payload))
                return false;
        } else if (is(name, "signatures") && !has_signatures) {
            has_signatures = true;
            if (!open_group(in, '[', &first_signature))
                return false;
            while ((signature = next_item(in, ']', &first_signature)) == 1) {
                int i = manifest->count;
                if (i == MAX_SIGNATURES || !read_signature_texts(in, &manifest->signatures[i].protected, &values[i]))
                    return false;
                manifest->count++;
            }
            if (signature != 0)
                return false;
        } else {
            return false;
        }
    }
    return item == 0 && peek(in) == '\0' && in->at == in->end && manifest->payload.at && has_signatures;
}

static const char *read_manifest(struct text text, struct manifest *manifest)
{
    struct text values[MAX_SIGNATURES];
    const char *refusal;
    if (text.length > MAX_MANIFEST_BYTES)
        return "too_long";
    memset(manifest, 0, sizeof *manifest);
    struct json in = {text.at, text.at + text.length, manifest->room, manifest->room + sizeof manifest->room, 0};
    if (!is_utf8((const unsigned char *)text.at, text.length) || !read_message(&in, manifest, values))
        return "malformed";
    for (int i = 0; i < manifest->count; i++) {
        struct signature *signature = &manifest->signatures[i];
        unsigned char value[SIGNATURE_BYTES * 4];
        size_t length;
        if ((refusal = read_header(signature)))
            return refusal;
        if (!decode(values[i], value, sizeof value, &length))
            return "malformed";
        if (length != SIGNATURE_BYTES) /* r and s, 32 bytes each: never DER */
            return "bad_signature";
        memcpy(signature->value, value, SIGNATURE_BYTES);
    }
    if (manifest->count == 0)
        return "signature_missing";
    for (int i = 1; i < manifest->count; i++)
        for (int j = 0; j < i; j++)
            if (is_same(manifest->signatures[i].kid, manifest->signatures[j].kid))
                return "signature_doubled";
    return NULL;
}

/* ---- signatures ---- */

/* The keys that one signer may have. */
struct keys {
    EVP_PKEY *all[MAX_KEYS];
    int count;
};

static enum algorithm algorithm_of(EVP_PKEY *key)
{
    char curve[32];
    if (EVP_PKEY_is_a(key, "ED25519"))
        return EDDSA;
    bool is_p256 = EVP_PKEY_is_a(key, "EC") &&
                   EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) &&
                   strcmp(curve, "prime256v1") == 0;
    return is_p256 ? ES256 : UNKNOWN;
}

/* OpenSSL wants ECDSA signatures as DER. */
static int to_der(const unsigned char *value, unsigned char **der)
{
    BIGNUM *r = BN_bin2bn(value, 32, NULL), *s = BN_bin2bn(value + 32, 32, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    if (!r || !s || !pair || !ECDSA_SIG_set0(pair, r, s))
        abort();
    int length = i2d_ECDSA_SIG(pair, der);
    ECDSA_SIG_free(pair);
    return length;
}

static bool is_signed_by(EVP_PKEY *key, const struct manifest *manifest, const struct signature *signature)
{
    static unsigned char text[MAX_MANIFEST_BYTES + 1];
    size_t head = signature->protected.length, length = head + 1 + manifest->payload.length;
    if (length > sizeof text || signature->algorithm != algorithm_of(key))
        return false;
    memcpy(text, signature->protected.at, head);
    text[head] = '.';
    memcpy(text + head + 1, manifest->payload.at, manifest->payload.length);

    bool is_ecdsa = signature->algorithm == ES256;
    unsigned char *der = NULL;
    const unsigned char *value = signature->value;
    int value_length = SIGNATURE_BYTES;
    if (is_ecdsa) {
        value_length = to_der(signature->value, &der);
        value = der;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = value_length > 0 && context &&
                 EVP_DigestVerifyInit(context, NULL, is_ecdsa ? EVP_sha256() : NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, value, (size_t)value_length, text, length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return holds;
}

static const char *check_signature(const struct keys *keys, const struct manifest *manifest,
                                   const struct signature *signature)
{
    const char *refusal = "wrong_key_type";
    for (int i = 0; i < keys->count; i++) {
        if (algorithm_of(keys->all[i]) != signature->algorithm)
            continue;
        if (is_signed_by(keys->all[i], manifest, signature))
            return NULL;
        refusal = "bad_signature";
    }
    return refusal;
}

static bool one_made_both(const struct keys *keys, const struct manifest *manifest,
                          const struct signature *const made[2])
{
    for (int i = 0; i < keys->count; i++)
        if (is_signed_by(keys->all[i], manifest, made[0]) && is_signed_by(keys->all[i], manifest, made[1]))
            return true;
    return false;
}

static bool have_one_in_common(const struct keys *keys, const struct keys *others)
{
    for (int i = 0; i < keys->count; i++)
        for (int j = 0; j < others->count; j++)
            if (EVP_PKEY_eq(keys->all[i], others->all[j]) == 1)
                return true;
    return false;
}

static const struct signature *by(const struct manifest *manifest, struct text kid)
{
    for (int i = 0; i < manifest->count; i++)
        if (is_same(manifest->signatures[i].kid, kid))
            return &manifest->signatures[i];
    return NULL;
}

/* Whether the signers are a project and its co-signer, though not ours. */
static bool is_another_projects(const struct manifest *manifest)
{
    for (int i = 0; manifest->count == 2 && i < 2; i++) {
        struct text one = manifest->signatures[i].kid, other = manifest->signatures[1 - i].kid;
        if (other.length == one.length + 8 && memcmp(other.at, "project/", 8) == 0 &&
            memcmp(other.at + 8, one.at, one.length) == 0)
            return true;
    }
    return false;
}

/* Exactly two: the project's and its co-signer's, each by its own key. */
static const char *check_signatures(const struct manifest *manifest, const char *project_id, const struct keys keys[2])
{
    char cosigner[KID_ROOM];
    if ((size_t)snprintf(cosigner, sizeof cosigner, "project/%s", project_id) >= sizeof cosigner)
        return "unknown_signer";
    const struct signature *made[2] = {by(manifest, of(project_id)), by(manifest, of(cosigner))};
    for (int i = 0; i < manifest->count; i++)
        if (&manifest->signatures[i] != made[0] && &manifest->signatures[i] != made[1])
            return is_another_projects(manifest) ? "other_project" : "unknown_signer";
    for (int i = 0; i < 2; i++) {
        if (!made[i])
            return "signature_missing";
        const char *refusal = check_signature(&keys[i], manifest, made[i]);
        bool is_bad = refusal && strcmp(refusal, "bad_signature") == 0 && made[1];
        if (is_bad && (one_made_both(&keys[0], manifest, made) || one_made_both(&keys[1], manifest, made)))
            return "same_key_twice";
        if (refusal)
            return refusal;
    }
    return NULL;
}

/* ---- what is signed ---- */

struct claims {
    char room[MAX_MANIFEST_BYTES];
    struct text iss, project, version, download_url, sha256, jti, min_version;
    uint64_t release_counter, size_bytes, checksum;
    int64_t nbf_s, exp_s;
    bool allow_downgrade, for_any_hardware, for_our_hardware;
};

struct device {
    const char *project_id, *project, *hardware, *version;
    uint64_t release_counter;
    const char *seen[MAX_SEEN];
    int seen_count;
    int64_t now_s;
};

static bool read_hardware(struct json *in, const struct device *device, struct claims *claims)
{
    struct text kind;
    bool first;
    int item;
    claims->for_any_hardware = true;
    if (!open_group(in, '[', &first))
        return false;
    while ((item = next_item(in, ']', &first)) == 1) {
        if (!read_text(in, &kind))
            return false;
        claims->for_any_hardware = false;
        claims->for_our_hardware |= device->hardware && is(kind, device->hardware);
    }
    return item == 0;
}

static bool read_truth(struct json *in, bool *truth)
{
    *truth = take_word(in, "true");
    return *truth || take_word(in, "false");
}

static bool read_claim(struct json *in, int claim, const struct device *device, struct claims *claims)
{
    switch (claim) {
    case 0: return read_text(in, &claims->iss);
    case 1: return read_text(in, &claims->project);
    case 2: return read_text(in, &claims->version);
    case 3: return read_text(in, &claims->download_url);
    case 4: return read_text(in, &claims->sha256);
    case 5: return read_text(in, &claims->jti);
    case 6: return read_unsigned(in, UINT64_MAX, &claims->release_counter);
    case 7: return read_unsigned(in, UINT64_MAX, &claims->size_bytes);
    case 8: return read_unsigned(in, UINT32_MAX, &claims->checksum);
    case 9: return read_hardware(in, device, claims);
    case 10: return read_truth(in, &claims->allow_downgrade);
    case 11: return read_time(in, &claims->nbf_s);
    case 12: return read_time(in, &claims->exp_s);
    case 13: return take_word(in, "null") || read_text(in, &claims->min_version);
    default: return skip_value(in);
    }
}

static const char *read_claims(struct text payload, const struct device *device, struct claims *claims)
{
    static const char *const names[] = {"iss", "project", "version", "download_url", "sha256", "jti",
                                        "release_counter", "size_bytes", "checksum", "hardware",
                                        "allow_downgrade", "nbf", "exp", "min_version"};
    enum { COUNT = sizeof names / sizeof names[0], REQUIRED = (1 << (COUNT - 1)) - 1 };
    static unsigned char json[MAX_MANIFEST_BYTES];
    size_t length;
    struct text name;
    bool first;
    int item, found = 0;
    if (!decode(payload, json, sizeof json, &length))
        return "malformed";
    memset(claims, 0, sizeof *claims);
    struct json in = {(char *)json, (char *)json + length, claims->room, claims->room + sizeof claims->room, 0};
    if (!is_utf8(json, length) || !open_group(&in, '{', &first))
        return "no_manifest";
    while ((item = next_member(&in, &first, &name)) == 1) {
        int claim = 0;
        while (claim < COUNT && !is(name, names[claim]))
            claim++;
        bool doubled = claim < COUNT && (found & 1 << claim);
        if (doubled || !read_claim(&in, claim, device, claims))
            return "no_manifest";
        if (claim < COUNT)
            found |= 1 << claim;
    }
    bool is_whole = item == 0 && peek(&in) == '\0' && in.at == in.end;
    return is_whole && (found & REQUIRED) == REQUIRED ? NULL : "no_manifest";
}

/* The manifest's own id: 002, its expiry, and six letters or digits. */
static bool id_fits(const struct claims *claims)
{
    char wanted[64];
    time_t exp_s = (time_t)claims->exp_s;
    struct tm utc;
    if (!gmtime_r(&exp_s, &utc) || !strftime(wanted, sizeof wanted, "002%Y-%m-%dT%H:%M:%SZ", &utc))
        return false;
    size_t start = strlen(wanted);
    if (claims->jti.length != start + 6 || memcmp(claims->jti.at, wanted, start) != 0)
        return false;
    for (size_t i = start; i < start + 6; i++) {
        char c = claims->jti.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return true;
}

/* By how much `one` is later than `other`, without overflow. */
static int64_t ahead_s(int64_t one, int64_t other)
{
    int64_t difference;
    if (__builtin_sub_overflow(one, other, &difference))
        return one > other ? INT64_MAX : INT64_MIN;
    return difference;
}

static const char *check_times(const struct claims *claims, int64_t now_s)
{
    if (ahead_s(now_s, claims->exp_s) > EXPIRY_LEEWAY_S)
        return "expired";
    if (ahead_s(claims->nbf_s, now_s) > CLOCK_LEEWAY_S)
        return "not_yet_valid";
    if (ahead_s(claims->exp_s, now_s) > MAX_LIFETIME_S + CLOCK_LEEWAY_S ||
        ahead_s(claims->exp_s, claims->nbf_s) > MAX_LIFETIME_S)
        return "lifetime_too_long";
    if (!id_fits(claims))
        return "bad_nonce";
    return now_s > claims->exp_s ? "expired" : NULL;
}

/* ---- versions, ordered as SemVer has it ---- */

struct version {
    unsigned long numbers[3];
    struct text pre; /* nothing where there is none */
};

static bool read_version(struct text text, struct version *version)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t first = at;
        version->numbers[part] = 0;
        while (at < text.length && text.at[at] >= '0' && text.at[at] <= '9' && at - first < 9)
            version->numbers[part] = version->numbers[part] * 10 + (unsigned long)(text.at[at++] - '0');
        if (at == first || (part < 2 && (at == text.length || text.at[at++] != '.')))
            return false;
    }
    const char *build = memchr(text.at, '+', text.length);
    size_t end = build ? (size_t)(build - text.at) : text.length;
    version->pre = (struct text){0};
    if (at < end && text.at[at] == '-')
        version->pre = (struct text){text.at + at + 1, end - at - 1};
    return at == end || version->pre.at;
}

static struct text next_word(struct text *rest)
{
    const char *dot = memchr(rest->at, '.', rest->length);
    struct text word = {rest->at, dot ? (size_t)(dot - rest->at) : rest->length};
    size_t step = word.length + (dot ? 1 : 0);
    *rest = dot ? (struct text){rest->at + step, rest->length - step} : (struct text){0};
    return word;
}

static bool is_number(struct text word)
{
    for (size_t i = 0; i < word.length; i++)
        if (word.at[i] < '0' || word.at[i] > '9')
            return false;
    return word.length > 0;
}

static int compare_words(struct text one, struct text other)
{
    bool numbers = is_number(one) && is_number(other);
    if (is_number(one) != is_number(other))
        return is_number(one) ? -1 : 1;
    while (numbers && one.length > 1 && *one.at == '0')
        one.at++, one.length--;
    while (numbers && other.length > 1 && *other.at == '0')
        other.at++, other.length--;
    if (numbers && one.length != other.length)
        return one.length < other.length ? -1 : 1;
    size_t shorter = one.length < other.length ? one.length : other.length;
    int order = memcmp(one.at, other.at, shorter);
    return order ? order : (one.length > other.length) - (one.length < other.length);
}

static bool reaches(struct text text, struct text least_text)
{
    struct version version, least;
    if (!read_version(text, &version) || !read_version(least_text, &least))
        return false;
    for (int part = 0; part < 3; part++)
        if (version.numbers[part] != least.numbers[part])
            return version.numbers[part] > least.numbers[part];
    if (!version.pre.at || !least.pre.at)
        return !version.pre.at;
    while (version.pre.at && least.pre.at) {
        struct text word = next_word(&version.pre), other = next_word(&least.pre);
        int order = compare_words(word, other);
        if (order)
            return order > 0;
    }
    return !least.pre.at;
}

static const char *check_addressee(const struct claims *claims, const struct device *device)
{
    for (int i = 0; i < device->seen_count; i++)
        if (is(claims->jti, device->seen[i]))
            return "already_seen";
    if (!is(claims->project, device->project))
        return "other_project";
    if (!claims->for_any_hardware && !claims->for_our_hardware)
        return "other_hardware";
    if (claims->release_counter < device->release_counter && !claims->allow_downgrade)
        return "counter_too_low";
    bool runs_it = device->version && is(claims->version, device->version);
    bool high_enough = device->version && (runs_it || reaches(of(device->version), claims->min_version));
    return claims->min_version.at && !high_enough ? "version_too_low" : NULL;
}

static const char *verify(struct text text, const struct keys keys[2], const struct device *device,
                          struct claims *claims)
{
    static struct manifest manifest;
    const char *refusal = read_manifest(text, &manifest);
    if (!refusal && have_one_in_common(&keys[0], &keys[1]))
        refusal = "same_key_twice";
    if (!refusal)
        refusal = check_signatures(&manifest, device->project_id, keys);
    if (!refusal)
        refusal = read_claims(manifest.payload, device, claims);
    if (!refusal)
        refusal = check_times(claims, device->now_s);
    return refusal ? refusal : check_addressee(claims, device);
}

/* ---- the image ---- */

static uint32_t crc32_on(uint32_t crc, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return crc;
}

static bool is_hex_of(struct text hex, const unsigned char *bytes, size_t length)
{
    static const char alphabet[] = "0123456789abcdef";
    if (hex.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (hex.at[2 * i] != alphabet[bytes[i] >> 4] || hex.at[2 * i + 1] != alphabet[bytes[i] & 15])
            return false;
    return true;
}

/* Reads no further than one buffer behind what was signed. */
static const char *check_image(FILE *file, const struct claims *claims)
{
    unsigned char buffer[4096], sha256[EVP_MAX_MD_SIZE];
    uint64_t received = 0;
    uint32_t crc = UINT32_MAX;
    size_t length;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        abort();
    while (received <= claims->size_bytes && (length = fread(buffer, 1, sizeof buffer, file)) > 0) {
        received += length;
        crc = crc32_on(crc, buffer, length);
        EVP_DigestUpdate(context, buffer, length);
    }
    EVP_DigestFinal_ex(context, sha256, NULL);
    EVP_MD_CTX_free(context);
    if (received != claims->size_bytes)
        return received > claims->size_bytes ? "image_too_long" : "image_too_short";
    bool same = ~crc == claims->checksum && is_hex_of(claims->sha256, sha256, 32);
    return same ? NULL : "image_differs";
}

/* ---- the command line ---- */

static void leave(const char *what, const char *name)
{
    fprintf(stderr, "verify: %s %s\n", what, name);
    exit(2);
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        leave("cannot read", path);
    return file;
}

static const char *read_keys(const char *path, struct keys *keys)
{
    FILE *file = open_file(path);
    EVP_PKEY *key;
    while (keys->count < MAX_KEYS && (key = PEM_read_PUBKEY(file, NULL, NULL, NULL)))
        keys->all[keys->count++] = key;
    fclose(file);
    for (int i = 0; i < keys->count; i++)
        if (algorithm_of(keys->all[i]) == UNKNOWN)
            return "wrong_key_type";
    return keys->count ? NULL : "bad_key";
}

static void free_keys(struct keys *keys)
{
    while (keys->count)
        EVP_PKEY_free(keys->all[--keys->count]);
}

int main(int count, char **words)
{
    static char text[MAX_MANIFEST_BYTES + 1];
    static struct claims claims;
    if (count < 6)
        leave("needs", "PROJECT_ID PROJECT_NAME PROJECT.pem COSIGNER.pem MANIFEST");
    struct device device = {.project_id = words[1], .project = words[2], .now_s = (int64_t)time(NULL)};
    FILE *image = NULL;
    for (int i = 6; i < count; i += 2) {
        const char *flag = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
        if (!value)
            leave("a value is missing behind", flag);
        if (strcmp(flag, "--hardware") == 0)
            device.hardware = value;
        else if (strcmp(flag, "--version") == 0)
            device.version = value;
        else if (strcmp(flag, "--counter") == 0)
            device.release_counter = strtoull(value, NULL, 10);
        else if (strcmp(flag, "--seen") == 0 && device.seen_count < MAX_SEEN)
            device.seen[device.seen_count++] = value;
        else if (strcmp(flag, "--now") == 0)
            device.now_s = strtoll(value, NULL, 10);
        else if (strcmp(flag, "--image") == 0)
            image = open_file(value);
        else
            leave("does not know or has too many of", flag);
    }
    struct keys keys[2] = {0};
    FILE *file = open_file(words[5]);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);

    const char *refusal = read_keys(words[3], &keys[0]);
    if (!refusal)
        refusal = read_keys(words[4], &keys[1]);
    if (!refusal)
        refusal = verify((struct text){text, length}, keys, &device, &claims);
    if (!refusal && image)
        refusal = check_image(image, &claims);
    if (image)
        fclose(image);
    free_keys(&keys[0]);
    free_keys(&keys[1]);
    if (refusal) {
        printf("refused: %s\n", refusal);
        return 1;
    }
    printf("%.*s %.*s, release %llu\n", (int)claims.project.length, claims.project.at, (int)claims.version.length,
           claims.version.at, (unsigned long long)claims.release_counter);
    return 0;
}
