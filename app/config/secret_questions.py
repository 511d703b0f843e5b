"""Finds questions for what a seller on AWS Marketplace may not ask for: data of payments, cards and banks; passwords.

https://docs.aws.amazon.com/marketplace/latest/userguide/saas-guidelines.html
"""

import re
import unicodedata
from functools import lru_cache

# Without accents and in lower case, as `_plain` returns a text. Words that mean only this, in the pages' languages.
PAYMENT = (
    r"(credit|debit|payment|bank|charge|prepaid)[ -]?cards?",
    r"cards? ?holder|card('s)? (expiry|expiration|security|verif\w+)",
    r"\b(cvv2?|cvc2?|iban|bic|ach|blz)\b|\bswift[ /-]?(code|bic)",
    r"security code|sort code|(routing|aba|transit) number",
    r"bank(ing)? (account|details|data|information|name|statement)",
    r"payment (account|details|data|information|credentials)",
    r"paypal|direct debit|\bpix\b",
    r"(kredit|debit|bank|ec)-?karte|karten(nummer|pruf|inhaber)|prufziffer|bank(verbindung|konto|leitzahl|daten)",
    r"zahlungs(daten|mittel|karte)|kontoinhaber|lastschrift",
    r"carte (bancaire|de credit|de paiement|bleue)|numero de (la |votre )?carte|cryptogramme|\brib\b",
    r"(compte|coordonnees|donnees|releve) bancaires?|donnees de paiement",
    r"tarjeta (de (credito|debito|pago)|bancaria)",
    r"numero de (la |su |tu )?tarjeta|(cuenta|datos|codigo) bancari[ao]s?",
    r"datos de pago|cartao de (credito|debito|pagamento)|numero d[oe] (seu )?cartao|(conta|dados) bancari[ao]s?",
    r"dados de pagamento|chave pix|agencia e conta",
    r"クレジットカ-?ード|クレカ|カード番号|口座番号|銀行口座|口座名義|セキュリティコード|支払い?情報",
    r"신용 ?카드|체크 ?카드|카드 ?번호|계좌 ?번호|은행 ?계좌|결제 ?정보",
    r"信用卡|银行卡|借记卡|卡号|银行[账帐][户号]|支付信息|支付宝",
    r"بطاقة (ال)?(ائتمان|دفع|بنك)|بطاقتك الائتمانية|البطاقة الائتمانية",
    r"رقم (ال)?بطاقة|(ال)?حساب(ك)? (ال)?(بنكي|مصرفي)|ايبان|بيانات الدفع",
)
PASSWORD = (
    r"\b(pass ?words?|passphrases?|passcodes?)\b"
    r"(?! (manager|polic|reset|rotation|requirement|rule|length|hash|vault|store))",
    r"\b(secret|private) (access )?keys?\b|\bpin (number|code of)|\bcard pin\b",
    r"(passwort|kennwort)(?!-?(manager|richtlinie|regel|safe|tresor|los))|geheimzahl",
    r"mots? de passe|contrasenas?|\bclave (secreta|privada|de acceso)|\bsenhas?\b",
    r"パスワード|暗証番号|비밀 ?번호|암호(?!화)|密码(?!学|管理|策略)|口令|كلم(ة|ات) (ال)?(مرور|سر)",
)
# A number of another kind of account or card is none of a bank's: an AWS account number, a SIM card number.
ACCOUNT_NUMBER = re.compile(
    r"(?:(\w+)[ -])?(?:account (?:number|no\b)|kontonummer|numero de (?:cuenta|compte)|numero da conta|رقم الحساب)"
    r"(?: de)?(?: (\w+))?"
)
ARTICLES_AND_POSSESSIVES = {
    None,
    "a",
    "an",
    "the",
    "your",
    "my",
    "our",
    "company",
    "business",
    "ihre",
    "deine",
    "die",
    "votre",
    "su",
}
OTHER_ACCOUNTS = {"aws", "azure", "google", "discord", "slack", "github", "customer", "client", "cliente", "support"}
CARD_NUMBER = re.compile(r"(?:(\w+) )?card (?:number|no\b)")
OTHER_CARDS = {
    "id",
    "identity",
    "sim",
    "loyalty",
    "member",
    "membership",
    "business",
    "library",
    "access",
    "badge",
    "gift",
}
# "Do not enter passwords here" asks for none.
NEGATION = (
    r"\b(not|never|(?<!card )(?<!account )no|don.?t|without|nicht|keine?n?|niemals|ohne)\b",
    r"\b(ne|pas|jamais|sans|nunca|sin|nao|sem)\b",
    r"しないで|せずに|ないで|마세요|마십시오|하지|请勿|不要|切勿|勿|\b(لا|عدم|دون)\b",
)


def find(text: str) -> str | None:
    """Return what the text asks for, as "a password"; None where it asks for nothing of the kind."""
    plain = _plain(text)
    if _has(PAYMENT, plain) or _is_of_bank(plain):
        return "data of a payment, a card or a bank account"
    return "a password" if _has(PASSWORD, plain) else None


def find_in_hint(text: str) -> str | None:
    """Return what the hint asks for; None also where it asks to leave it out."""
    return None if _has(NEGATION, _plain(text)) else find(text)


def _has(patterns: tuple[str, ...], plain: str) -> bool:
    return any(_compiled(pattern).search(plain) for pattern in patterns)


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern if pattern.isascii() else _plain(pattern))


def _is_of_bank(plain: str) -> bool:
    accounts = ACCOUNT_NUMBER.finditer(plain)
    is_account = any(match[1] in ARTICLES_AND_POSSESSIVES and match[2] not in OTHER_ACCOUNTS for match in accounts)
    return is_account or any(match[1] not in OTHER_CARDS for match in CARD_NUMBER.finditer(plain))


def _plain(text: str) -> str:
    """Return the text in lower case, without accents, and with one blank between words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("_", " ").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())
