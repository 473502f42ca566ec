/* data/survey/sky.c - rotations between systems of positions: ERFA where it has them; FK4, which it
 * knows for B1950 alone, by Murray 1989 (A&A 218, 325, equations 28 and 29) with Newcomb's
 * precession. */
#include "data/survey/sky.h"

#include "core/options.h"

#include <erfa.h>
#include <erfam.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    char era;       /* of equinoxes: J, B; 0 = there is none */
    double equinox; /* when none is said */
} kinds[ORR_N_SKY] = {
    [ORR_SKY_ICRS] = { "ICRS", 0, 0 },
    [ORR_SKY_FK5] = { "FK5", 'J', 2000 },
    [ORR_SKY_FK4] = { "FK4", 'B', 1950 },
    [ORR_SKY_FK4_NO_E] = { "FK4-NO-E", 'B', 1950 },
    [ORR_SKY_GALACTIC] = { "galactic", 0, 0 },
    [ORR_SKY_SUPERGALACTIC] = { "supergalactic", 0, 0 },
    [ORR_SKY_ECLIPTIC] = { "ecliptic", 'J', 2000 },
};

void orr_sky_text(const orr_sky *s, char *buf, size_t bytes)
{
    if (kinds[s->kind].era)
        snprintf(buf, bytes, "%s %c%.10g", kinds[s->kind].name, kinds[s->kind].era, s->equinox);
    else
        snprintf(buf, bytes, "%s", kinds[s->kind].name);
}

orr_sky_kind orr_sky_kind_called(const char *name, size_t n)
{
    int k = 0;

    while (k < ORR_N_SKY &&
           !(strlen(kinds[k].name) == n && strncasecmp(kinds[k].name, name, n) == 0))
        k++;
    return (orr_sky_kind)k;
}

static int is_equinox(double year)
{
    return year >= 1500 && year <= 2500;
}

orr_status orr_sky_parse(orr_sky *out, const char *text, const char *option)
{
    size_t word = strcspn(text, " ");
    const char *year = text + word + strspn(text + word, " ");
    char era = 0;

    out->kind = orr_sky_kind_called(text, word);
    if (out->kind == ORR_N_SKY && strchr("JjBb", *text) && *text && !*year) {
        out->kind = strchr("Jj", *text) ? ORR_SKY_FK5 : ORR_SKY_FK4;
        year = text;
    }
    if (out->kind == ORR_N_SKY)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: \"%.40s\" is no system of positions; there are ICRS, FK5, FK4, "
                        "FK4-NO-E, galactic, supergalactic, ecliptic, with an equinox as in "
                        "\"FK5 J1975\" or \"FK4 B1950\"",
                        option, text);
    out->equinox = kinds[out->kind].equinox;
    if (!*year) return ORR_OK;
    if (!kinds[out->kind].era)
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.40s\": %s has no equinox", option, text,
                        kinds[out->kind].name);
    if (strchr("JjBb", *year)) era = strchr("Jj", *year++) ? 'J' : 'B';
    if ((era && era != kinds[out->kind].era) || orr_parse_real(&out->equinox, year) != ORR_OK ||
        !is_equinox(out->equinox))
        return orr_fail(ORR_ERR_OPTION, "%s: \"%.40s\": the equinox of %s is a year like %c%g",
                        option, text, kinds[out->kind].name, kinds[out->kind].era,
                        kinds[out->kind].equinox);
    return ORR_OK;
}

orr_status orr_sky_equatorial(orr_sky *out, const char *radesys, double equinox)
{
    orr_sky_kind kind = orr_sky_kind_called(radesys, strlen(radesys));

    if (!*radesys)
        kind = isnan(equinox) ? ORR_SKY_ICRS : equinox < 1984 ? ORR_SKY_FK4 : ORR_SKY_FK5;
    if (kind > ORR_SKY_FK4_NO_E)
        return orr_fail(ORR_ERR_FORMAT,
                        "RADESYS is '%.20s', and positions are taken to ICRS, FK5, FK4 and "
                        "FK4-NO-E alone",
                        radesys);
    *out = (orr_sky){ .kind = kind };
    if (kind == ORR_SKY_ICRS) return ORR_OK; /* it has none, whatever EQUINOX says */
    out->equinox = isnan(equinox) ? kinds[kind].equinox : equinox;
    if (!is_equinox(out->equinox))
        return orr_fail(ORR_ERR_FORMAT, "EQUINOX is %.10g, which is no year", out->equinox);
    return ORR_OK;
}

/* ---- rotations ---- */

static const double degree = ERFA_DD2R;

/* From ICRS to FK5 of a Julian year; of 2000 without precession, which is the identity then. */
static void fk5_from_icrs(double year, double m[3][3])
{
    double to_hip[3][3], spin[3], bias[3][3], precession[3][3], both[3][3], jd0, jd;

    eraFk5hip(to_hip, spin);
    eraTr(to_hip, m);
    if (year == 2000) return;
    eraEpj2jd(year, &jd0, &jd);
    eraBp06(jd0, jd, bias, precession, both);
    eraRxr(precession, m, m);
}

/* Newcomb's precession from B1950 to another Besselian year. */
static void newcomb(double year, double m[3][3])
{
    double t = 0.1, dt = (year - 1950) / 1000; /* thousands of tropical years, t from 1850 on */
    double zeta = 23035.545 + t * 139.720 + 0.060 * t * t, z = zeta;
    double theta = 20051.12 - 85.29 * t - 0.37 * t * t;

    zeta = dt * (zeta + dt * (30.240 - 0.27 * t + dt * 17.995));
    z = dt * (z + dt * (109.480 + 0.39 * t + dt * 18.325));
    theta = dt * (theta + dt * (-42.65 - 0.37 * t + dt * -41.8));
    eraIr(m);
    eraRz(-zeta * ERFA_DAS2R, m);
    eraRy(theta * ERFA_DAS2R, m);
    eraRz(-z * ERFA_DAS2R, m);
}

static double julian_date(double besselian)
{
    double jd0, jd;

    eraEpb2jd(besselian, &jd0, &jd);
    return jd0 + jd;
}

/* From ICRS to FK4 without E-terms.  FK4 turns against FK5: hence the change with the epoch. */
static void fk4_from_icrs(double year, double m[3][3])
{
    static const double at_1950[3][3] = {
        { 0.9999256794956877, -0.0111814832204662, -0.0048590038153592 },
        { 0.0111814832391717, +0.9999374848933135, -0.0000271625947142 },
        { 0.0048590037723143, -0.0000271702937440, +0.9999881946023742 }
    };
    static const double a_century[3][3] = { { -0.0026455262e-6, -1.1539918689e-6, 2.1111346190e-6 },
                                            { 1.1540628161e-6, -0.0129042997e-6, 0.0236021478e-6 },
                                            { -2.1112979048e-6, -0.0056024448e-6,
                                              0.0102587734e-6 } };
    double t = ((julian_date(year) - ERFA_DJ00) / ERFA_DJY + 50) / 100;
    double b[3][3], precession[3][3];

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            b[j][i] = at_1950[i][j] + t * a_century[i][j]; /* turned round: from FK5 to FK4 */
    fk5_from_icrs(2000, m);
    eraRxr(b, m, m);
    newcomb(year, precession);
    eraRxr(precession, m, m);
}

static void e_terms(double year, double e[3])
{
    double jd = julian_date(year), t = (jd - julian_date(1950)) / ERFA_DJC;
    double eccentricity = 0.01673011 + t * (-0.00004193 + t * -0.000000126);
    double perigee = 1015489.951 + t * (6190.67 + t * (1.65 + t * 0.012));
    double obliquity = eraObl80(jd, 0), k = 0.0056932 * degree; /* of aberration */

    perigee *= ERFA_DAS2R;
    e[0] = eccentricity * k * sin(perigee);
    e[1] = -eccentricity * k * cos(perigee) * cos(obliquity);
    e[2] = -eccentricity * k * cos(perigee) * sin(obliquity);
}

/* Pole at FK5 (192.859..., 27.128...), which is FK4-NO-E B1950 (192.25, 27.4), as astropy has it.
 */
static void galactic_from_icrs(double m[3][3])
{
    fk5_from_icrs(2000, m);
    eraRz(192.8594812065348 * degree, m);
    eraRy((90 - 27.12825118085622) * degree, m);
    eraRz((180 - 122.9319185680026) * degree, m);
}

static void ecliptic_from_icrs(double year, double m[3][3])
{
    double jd0, jd;

    eraEpj2jd(year, &jd0, &jd);
    eraEcm06(jd0, jd, m);
}

void orr_sky_find_way(orr_sky_way *out, const orr_sky *s)
{
    *out = (orr_sky_way){ .none = s->kind == ORR_SKY_ICRS };
    switch (s->kind) {
    case ORR_SKY_FK5:
        fk5_from_icrs(s->equinox, out->m);
        break;
    case ORR_SKY_FK4:
        e_terms(s->equinox, out->e);
        fk4_from_icrs(s->equinox, out->m);
        break;
    case ORR_SKY_FK4_NO_E:
        fk4_from_icrs(s->equinox, out->m);
        break;
    case ORR_SKY_GALACTIC:
        galactic_from_icrs(out->m);
        break;
    case ORR_SKY_SUPERGALACTIC: /* pole at galactic (47.37, 6.32) */
        galactic_from_icrs(out->m);
        eraRz(47.37 * degree, out->m);
        eraRy((90 - 6.32) * degree, out->m);
        eraRz(90 * degree, out->m);
        break;
    case ORR_SKY_ECLIPTIC:
        ecliptic_from_icrs(s->equinox, out->m);
        break;
    default:
        eraIr(out->m);
    }
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void to_degrees(double v[3], double *lon, double *lat)
{
    eraC2s(v, lon, lat);
    *lon = eraAnp(*lon) / degree;
    if (*lon >= 360) *lon = 0; /* a rounding */
    *lat /= degree;
}

void orr_sky_from_icrs(const orr_sky_way *w, double ra, double dec, double *lon, double *lat)
{
    double v[3], r[3], m[3][3];

    *lon = ra;
    *lat = dec;
    if (w->none) return;
    memcpy(m, w->m, sizeof m);
    eraS2c(ra * degree, dec * degree, v);
    eraRxp(m, v, r);
    memcpy(v, r, sizeof v);
    for (int k = 0; k < 10 && dot(w->e, w->e) > 0; k++) { /* converges to 1e-16 in three */
        double scale = 1 + dot(w->e, v);

        for (int i = 0; i < 3; i++)
            v[i] = (w->e[i] + r[i]) / scale;
    }
    to_degrees(v, lon, lat);
}

void orr_sky_to_icrs(const orr_sky_way *w, double lon, double lat, double *ra, double *dec)
{
    double v[3], r[3], m[3][3], back[3][3], along;

    *ra = lon;
    *dec = lat;
    if (w->none) return;
    memcpy(m, w->m, sizeof m);
    eraTr(m, back);
    eraS2c(lon * degree, lat * degree, v);
    along = dot(w->e, v);
    for (int i = 0; i < 3; i++)
        v[i] += along * v[i] - w->e[i];
    eraRxp(back, v, r);
    to_degrees(r, ra, dec);
}
